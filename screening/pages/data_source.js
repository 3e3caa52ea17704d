/**
 * Where the documents come from: out of this very file (a report), or from the server (a dashboard).
 * Both give the same forms; all else of the page does not know which of them it has.
 *
 * @typedef {object} RankingQuery
 * @property {number} offset
 * @property {number} limit
 * @property {string} sort Field of a row, of its `facts` or of its `shown_fields`.
 * @property {boolean} descending
 * @property {Outcome|''} outcome Only these; all if empty.
 * @property {string} search Part of an id, material or name.
 *
 * @typedef {object} Source
 * @property {boolean} live Whether asking again may give something else.
 * @property {string} note What is to be said of the ranking as it is here; most often nothing.
 * @property {() => Promise<CampaignLine[]>} campaigns
 * @property {() => Promise<Overview|null>} overview Null: nothing has changed since the last time.
 * @property {() => void} forget Have the next overview given even if nothing has changed.
 * @property {(query: RankingQuery) => Promise<RankingPage>} ranking
 * @property {(name: string) => Promise<AnyPicture>} figure
 * @property {(id: string) => Promise<CandidateView>} candidate
 * @property {() => Promise<void>} loadPlotly Resolves once `Plotly` is there.
 */

/** Something that asking again will not mend; its message is for the reader. */
class Problem extends Error {}

/** The server, or the database behind it, does not answer; asking again later may help. */
class Away extends Error {}

/** A candidate of which a report tells no more than its row of the ranking. */
class LeftOut extends Problem {
  /** @param {RankingRow} row @param {string} message */
  constructor(row, message) {
    super(message);
    this.row = row;
  }
}

const ROWS_AT_ONCE = 500;

// ---------------------------------------------------------------------------------------- reports

/**
 * Text that a report keeps compressed (gzip, then base64) in an element of its own.
 * @param {Element} holder
 */
async function unpacked(holder) {
  const text = atob((holder.textContent ?? '').trim());
  // Five times faster than Uint8Array.from, which calls a function for each of millions of letters.
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}

/** @implements {Source} */
class EmbeddedSource {
  live = false;
  forget() {}

  /**
   * @param {{overview: Overview, rows: RankingRow[], total: number, figures: Object<string, AnyPicture>}} documents
   */
  constructor(documents) {
    this.documents = documents;
    const { rows, total } = documents;
    this.note = rows.length < total ? ` (the best of ${counted(total, 'candidate')}; the others are not in this file)` : '';
    /** @type {Map<string, Element>} */
    this.details = new Map();
    for (const holder of document.querySelectorAll('script[data-candidate]')) {
      this.details.set(/** @type {HTMLElement} */ (holder).dataset.candidate ?? '', holder);
    }
  }

  /** The source that this file holds, if it is a report. */
  static async found() {
    const holder = document.getElementById('documents');
    return holder && new EmbeddedSource(JSON.parse(await unpacked(holder)));
  }

  async campaigns() {
    const { name, target, status, created_at } = this.documents.overview;
    return [{ name, target, status, created_at }];
  }

  async overview() {
    return this.documents.overview;
  }

  /** @param {RankingQuery} query */
  async ranking({ offset, limit, sort, descending, outcome, search }) {
    const wanted = searching(search.trim(), this.documents.overview.objective.elements);
    const rows = this.documents.rows.filter(
      (row) => (!outcome || row.outcome === outcome) && wanted(row),
    );
    rows.sort(bySorting(sort, descending));
    return { total: rows.length, offset, rows: rows.slice(offset, offset + limit) };
  }

  /** @param {string} name */
  async figure(name) {
    return this.documents.figures[name];
  }

  /** @param {string} id */
  async candidate(id) {
    const holder = this.details.get(id);
    if (holder) return JSON.parse(await unpacked(holder));
    const row = this.documents.rows.find((each) => each.candidate_id === id);
    if (!row) throw new Problem(`candidate '${id}': not in this report`);
    throw new LeftOut(
      row,
      row.outcome === 'predicted'
        ? absence(row, [], this.documents.overview.objective)
        : `Left out of this file to keep it small; see: matscreen show ${id}`,
    );
  }

  async loadPlotly() {
    const holder = document.getElementById('plotly');
    // Appending a script of the page's own text runs it at once.
    if (holder) document.head.append(element('script', {}, await unpacked(holder)));
  }
}

/**
 * What says of a row whether it is searched for, as `screening.views.ranking` has it.
 * @param {string} search Part of a name or id; or symbols of elements separated by commas.
 * @param {boolean} byElements Whether candidates consist of elements.
 * @returns {(row: RankingRow) => boolean}
 */
function searching(search, byElements) {
  if (byElements && search.includes(',')) {
    const symbols = search.split(',').map((each) => each.trim()).filter(Boolean);
    const unknown = symbols.find((each) => !(each in ELEMENTS));
    if (unknown) {
      throw new Problem(`'${unknown}' in the search is not the symbol of an element; write elements as Pb,I`);
    }
    return (row) => {
      const present = [...row.label.matchAll(/[A-Z][a-z]?/g)].map(String);
      return symbols.every((each) => present.includes(each));
    };
  }
  const part = search.toLowerCase();
  return ({ label, candidate_id, material_id }) =>
    [label, candidate_id, material_id].some((each) => each.toLowerCase().includes(part));
}

/**
 * The order of a sorted table: what has no value comes last either way, ties go by rank.
 * @param {string} field
 * @param {boolean} descending
 * @returns {(a: RankingRow, b: RankingRow) => number}
 */
function bySorting(field, descending) {
  const sign = descending ? -1 : 1;
  /** @param {RankingRow} row */
  const value = (row) => /** @type {any} */ (row)[field] ?? row.facts[field] ?? row.shown_fields[field] ?? null;
  return (a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === other) return a.rank - b.rank;
    if (one === null || other === null) return one === null ? 1 : -1;
    return (one < other ? -sign : sign);
  };
}

// --------------------------------------------------------------------------------------- dashboard

/** @implements {Source} */
class HttpSource {
  live = true;
  note = '';

  /** @param {string} campaign */
  constructor(campaign) {
    this.base = `api/v1/campaigns/${encodeURIComponent(campaign)}`;
    /** @type {string|null} */
    this.etag = null;
  }

  /** The source that serves this page: the campaign that its address names, else the newest. */
  static async found() {
    const lines = /** @type {CampaignLine[]} */ (await asked('api/v1/campaigns'));
    const named = new URLSearchParams(location.search).get('campaign');
    const name = named ?? lines[0]?.name;
    if (name === undefined) {
      throw new Away('There is no campaign yet; start one with: matscreen submit --target low-kappa');
    }
    return new HttpSource(name);
  }

  async campaigns() {
    return asked('api/v1/campaigns');
  }

  forget() {
    this.etag = null;
  }

  async overview() {
    /** @type {Object<string, string>} */
    const headers = this.etag ? { 'If-None-Match': this.etag } : {};
    const response = await answered(this.base, { headers });
    if (response.status === 304) return null;
    this.etag = response.headers.get('ETag');
    return response.json();
  }

  /** @param {RankingQuery} query */
  async ranking(query) {
    const asking = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== '') asking.set(name, String(value));
    }
    return asked(`${this.base}/ranking?${asking}`);
  }

  /** @param {string} name */
  async figure(name) {
    return asked(`${this.base}/figures/${encodeURIComponent(name)}`);
  }

  /** @param {string} id */
  async candidate(id) {
    return asked(`${this.base}/candidates/${encodeURIComponent(id)}`);
  }

  async loadPlotly() {
    await new Promise((resolve, reject) => {
      const away = () => reject(new Away('the server does not answer'));
      document.head.append(
        element('script', { src: 'pages/plotly.js', onload: resolve, onerror: away }),
      );
    });
  }
}

/**
 * What an address of this server answers, as JSON.
 * @param {string} address
 * @returns {Promise<any>}
 */
async function asked(address) {
  return (await answered(address)).json();
}

/**
 * @param {string} address
 * @param {RequestInit} [options]
 * @returns {Promise<Response>} Of status 200 or 304.
 */
async function answered(address, options = {}) {
  let response;
  try {
    // The page compares tags itself, to know that nothing has changed.
    response = await fetch(address, { cache: 'no-store', ...options });
  } catch {
    throw new Away('the server does not answer');
  }
  if (response.ok || response.status === 304) return response;
  const said = await response.json().catch(() => ({}));
  const message = said.detail ?? `the server answered with status ${response.status}`;
  throw response.status >= 500 ? new Away(message) : new Problem(message);
}

/**
 * All rows that a filter leaves, in the order of the table.
 * @param {Source} source
 * @param {RankingQuery} query
 */
async function allRows(source, query) {
  /** @type {RankingRow[]} */
  const rows = [];
  for (let total = Infinity; rows.length < total; ) {
    const page = await source.ranking({ ...query, offset: rows.length, limit: ROWS_AT_ONCE });
    rows.push(...page.rows);
    total = page.rows.length ? page.total : rows.length;
  }
  return rows;
}
