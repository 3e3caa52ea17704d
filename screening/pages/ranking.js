/** The table of the ranking: sorted, filtered, paged; and saved as CSV. */

/**
 * @typedef {object} Column
 * @property {string} sort Field to sort by; empty: not sortable.
 * @property {string} heading
 * @property {boolean} numeric
 * @property {string} kind Class of its cells.
 * @property {(row: RankingRow) => (Node|string)[]} cell
 */

/**
 * @param {ObjectiveView} objective
 * @returns {Column[]}
 */
function rankingColumns(objective) {
  /** @type {(sort: string, heading: string, cell: (row: RankingRow) => (Node|string)[], kind?: string) => Column} */
  const words = (sort, title, cell, kind = '') => ({ sort, heading: title, numeric: false, kind, cell });
  /** @type {(sort: string, heading: string, text: (row: RankingRow) => string, kind?: string) => Column} */
  const numbers = (sort, title, text, kind = '') => ({ sort, heading: title, numeric: true, kind, cell: (row) => [text(row)] });
  const title = heading(objective.value);
  return [
    numbers('rank', 'rank', (row) => (isUnknown(row) ? '' : String(row.rank))),
    words('label', 'candidate', (row) => [
      candidateLink(row.candidate_id, ...labelNodes(row.label, objective)),
      element('small', {}, ` ${row.candidate_id}`),
    ], 'name'),
    words('', 'outcome', (row) => [
      outcomeMark(row.outcome, isUnknown(row)),
      ...(row.probability_unstable === null
        ? []
        : [element('small', {}, ` probability ${Math.round(100 * row.probability_unstable)} %`)]),
      ...(row.reason ? [element('small', { class: 'reason' }, row.reason)] : []),
    ]),
    numbers('value', `computed ${title}`, computedValue, 'value'),
    ...(objective.error_basis
      ? [
          numbers('', 'within one total error', totalInterval),
          numbers('expected_value', `expected ${title}`, (row) => expectation(row, objective)),
        ]
      : []),
    numbers('predicted_value', `predicted ${title}`, (row) => prediction(row, objective), 'prediction'),
    ...objective.shown_fields.map((each) =>
      numbers(each.field, heading(each), (row) => furtherValue(row, each.field)),
    ),
    ...(objective.second_objective ? [words('', 'front', (row) => [row.on_front ? 'yes' : ''])] : []),
    words('', 'material', (row) => [row.material_id], 'lesser material'),
    ...objective.facts.map((fact) =>
      numbers(fact.field, heading(fact), (row) => plainly(row.facts[fact.field] ?? null), 'lesser'),
    ),
    words('', 'engine', (row) => [row.engine ?? ''], 'lesser'),
  ];
}

/** The ranking's section: its controls and its table. */
class RankingTable {
  /**
   * @param {Source} source
   * @param {Overview} overview
   * @param {(error: unknown) => void} onError
   */
  constructor(source, overview, onError) {
    this.source = source;
    this.overview = overview;
    this.onError = onError;
    this.columns = rankingColumns(overview.objective);
    /** @type {RankingQuery} */
    this.query = { offset: 0, limit: innerWidth < 700 ? 10 : 25, sort: 'rank', descending: false, outcome: '', search: '' };
    /** @type {Map<string, {text: string, row: HTMLTableRowElement}>} What is drawn, by candidate. */
    this.drawn = new Map();
    this.total = 0;
    this.asked = 0;
    this.search = /** @type {HTMLInputElement} */ (document.getElementById('search'));
    this.outcome = /** @type {HTMLSelectElement} */ (document.getElementById('outcome'));
    this.limit = /** @type {HTMLSelectElement} */ (document.getElementById('limit'));
    this.place = /** @type {HTMLTableElement} */ (document.getElementById('ranking-table'));
    this.shown = /** @type {HTMLElement} */ (document.getElementById('ranking-shown'));
    this.previous = /** @type {HTMLButtonElement} */ (document.getElementById('previous'));
    this.next = /** @type {HTMLButtonElement} */ (document.getElementById('next'));
    this.search.placeholder = `${overview.objective.label.label}, id${overview.objective.elements ? ', or Pb,I' : ''}`;
    this.limit.value = String(this.query.limit);
    this.listen();
    this.drawHeadings();
    this.sayErrors(overview.objective);
  }

  /** Say what the error bars are. @param {ObjectiveView} objective */
  sayErrors({ error_basis: basis }) {
    const note = document.getElementById('ranking-errors');
    if (!note || !basis) return;
    note.textContent =
      'one total error is how far the engine is from first principles in 68 of 100 cases, its bias included ' +
      `(${basis}; * unlike all of these), and “expected” is what first principles would find; ` +
      'in brackets are estimates for crystals that the engine calls unstable';
  }

  listen() {
    let waiting = 0;
    this.search.addEventListener('input', () => {
      clearTimeout(waiting);
      waiting = window.setTimeout(() => this.ask({ search: this.search.value, offset: 0 }), 150);
    });
    this.outcome.addEventListener('change', () =>
      this.ask({ outcome: /** @type {Outcome|''} */ (this.outcome.value), offset: 0 }),
    );
    this.limit.addEventListener('change', () => this.ask({ limit: Number(this.limit.value), offset: 0 }));
    this.previous.addEventListener('click', () =>
      this.ask({ offset: Math.max(0, this.query.offset - this.query.limit) }),
    );
    this.next.addEventListener('click', () => this.ask({ offset: this.query.offset + this.query.limit }));
    document.getElementById('csv')?.addEventListener('click', () => this.save().catch(this.onError));
  }

  /**
   * Ask for other rows, and draw them.
   * @param {Partial<RankingQuery>} changes
   */
  ask(changes) {
    Object.assign(this.query, changes);
    return this.refresh().catch(this.onError);
  }

  /** Draw the rows as they are now; what cannot be searched for is said where they would be. */
  async refresh() {
    try {
      await this.update();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.shown.textContent = error.message;
    }
  }

  /** Draw the rows as they are now. @returns {Promise<void>} */
  async update() {
    const turn = ++this.asked;
    const page = await this.source.ranking(this.query);
    if (turn !== this.asked) return; // A later question was answered sooner.
    if (page.rows.length === 0 && page.total > 0 && this.query.offset > 0) {
      this.query.offset = Math.floor((page.total - 1) / this.query.limit) * this.query.limit;
      return this.update();
    }
    this.total = page.total;
    this.markSorting();
    this.drawRows(page.rows);
    const last = this.query.offset + page.rows.length;
    this.shown.textContent = page.rows.length
      ? `${(this.query.offset + 1).toLocaleString('en-GB')}–${last.toLocaleString('en-GB')} of ${counted(page.total, 'candidate')}${this.source.note}`
      : 'No candidate fits the filter.';
    this.previous.disabled = this.query.offset === 0;
    this.next.disabled = last >= page.total;
  }

  /** Headings one can sort by are buttons; browsers print none of these in a table's later pages. */
  drawHeadings() {
    const row = element('tr');
    for (const column of this.columns) {
      const title = column.sort
        ? element('button', { type: 'button', onclick: () => this.sortBy(column) }, column.heading)
        : column.heading;
      const kind = `${column.kind} ${column.numeric ? 'number' : ''}`;
      row.append(
        element('th', { scope: 'col', class: kind, 'data-sort': column.sort, 'data-heading': column.heading }, title),
      );
    }
    this.place.tHead?.replaceChildren(row);
  }

  /** @param {Column} column */
  sortBy({ sort }) {
    const again = this.query.sort === sort;
    this.ask({ sort, descending: again && !this.query.descending, offset: 0 });
  }

  markSorting() {
    for (const cell of this.place.tHead?.querySelectorAll('th') ?? []) {
      if (cell.dataset.sort !== this.query.sort) cell.removeAttribute('aria-sort');
      else cell.setAttribute('aria-sort', this.query.descending ? 'descending' : 'ascending');
    }
  }

  /**
   * Rows that are the same as before stay the nodes they are.
   * @param {RankingRow[]} rows
   */
  drawRows(rows) {
    const focused = /** @type {HTMLElement|null} */ (document.activeElement)?.dataset.candidate;
    /** @type {typeof this.drawn} */
    const drawn = new Map();
    for (const row of rows) {
      const text = JSON.stringify(row);
      const known = this.drawn.get(row.candidate_id);
      drawn.set(row.candidate_id, known?.text === text ? known : { text, row: this.tableRow(row) });
    }
    this.drawn = drawn;
    const wanted = [...drawn.values()].map((each) => each.row);
    const body = this.place.tBodies[0];
    if (wanted.some((each, i) => body.rows[i] !== each) || body.rows.length !== wanted.length) {
      body.replaceChildren(...wanted);
      if (focused) linkTo(focused, this.place)?.focus({ preventScroll: true });
    }
  }

  /** @param {RankingRow} row */
  tableRow(row) {
    const cells = this.columns.map((column) =>
      element('td', { class: `${column.kind} ${column.numeric ? 'number' : ''}` }, ...column.cell(row)),
    );
    return element('tr', { class: row.outcome }, ...cells);
  }

  /** Save what the filter leaves, in the order of the table. */
  async save() {
    const rows = await allRows(this.source, this.query);
    const file = new Blob([asCsv(rows, this.overview.objective)], { type: 'text/csv' });
    const link = element('a', { href: URL.createObjectURL(file), download: `${this.overview.name}-ranking.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}

/**
 * The link to a candidate within a part of the page.
 * @param {string} id
 * @param {ParentNode} within
 * @returns {HTMLElement|null}
 */
function linkTo(id, within) {
  return within.querySelector(`a[data-candidate="${CSS.escape(id)}"]`);
}

/**
 * Rows as CSV; names of fields have their units in them, as in the database.
 * @param {RankingRow[]} rows
 * @param {ObjectiveView} objective
 */
function asCsv(rows, objective) {
  const field = objective.value.field;
  /** @type {[string, (row: RankingRow) => string|number|boolean|null][]} */
  const columns = [
    ['rank', (row) => row.rank],
    ['candidate_id', (row) => row.candidate_id],
    ['material_id', (row) => row.material_id],
    [objective.label.field, (row) => row.label],
    ...objective.facts.map(
      (fact) => /** @type {[string, (row: RankingRow) => any]} */ ([fact.field, (row) => row.facts[fact.field] ?? null]),
    ),
    ['outcome', (row) => row.outcome],
    [field, (row) => row.value],
    .../** @type {[string, (row: RankingRow) => any][]} */ (
      objective.error_field ? [[objective.error_field, (row) => row.value_error]] : []
    ),
    ...objective.shown_fields.map(
      (each) => /** @type {[string, (row: RankingRow) => any]} */ ([each.field, (row) => row.shown_fields[each.field] ?? null]),
    ),
    .../** @type {[string, (row: RankingRow) => any][]} */ (
      objective.error_basis
        ? [
            [`total_low_${field}`, (row) => row.total_low],
            [`total_high_${field}`, (row) => row.total_high],
            [`expected_${field}`, (row) => row.expected_value],
            [`expected_low_${field}`, (row) => row.expected_low],
            [`expected_high_${field}`, (row) => row.expected_high],
            [`estimate_${field}`, (row) => row.estimate],
            ['probability_unstable', (row) => row.probability_unstable],
            ['error_basis', (row) => row.error_basis],
            ['extrapolated', (row) => row.extrapolated],
          ]
        : []
    ),
    [`predicted_${field}`, (row) => row.predicted_value],
    [`predicted_low_${field}`, (row) => row.predicted_low],
    [`predicted_high_${field}`, (row) => row.predicted_high],
    ['engine', (row) => row.engine],
    ['reason', (row) => row.reason],
    .../** @type {[string, (row: RankingRow) => any][]} */ (
      objective.second_objective ? [['on_front', (row) => row.on_front]] : []
    ),
  ];
  const lines = [
    columns.map(([name]) => name),
    ...rows.map((row) => columns.map(([, value]) => inCsv(value(row)))),
  ];
  return lines.map((cells) => `${cells.join(',')}\r\n`).join('');
}

/** @param {string|number|boolean|null} value */
function inCsv(value) {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  // Spreadsheets run a text that begins so as a formula.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
