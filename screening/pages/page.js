/** The page: puts a campaign's documents into its sections, and keeps up with what changes. */

/* global Plotly */

const POLL_MS = 3000;
const POLL_FINISHED_MS = 15_000;

/**
 * What each picture shows, and how it is drawn; kept so that it can be drawn in other colours.
 * @type {WeakMap<HTMLElement, {label: string, make: (colours: Theme) => Figure}>}
 */
const figures = new WeakMap();

/** A campaign on the page. */
class CampaignPage {
  /**
   * @param {Source} source
   * @param {Overview} overview
   */
  constructor(source, overview) {
    this.source = source;
    this.overview = overview;
    this.ranking = new RankingTable(source, overview, (error) => this.tell(error));
    /** @type {Promise<void>|null} */
    this.plotly = null;
    /** @type {Object<string, string>} Documents as drawn, to see what has changed. */
    this.drawn = {};
    /** Where the reader was before a candidate was opened. */
    this.place = { scroll: 0, candidate: '' };
    /** @type {string|null} */
    this.open = null;
  }

  /** Draw everything that can be drawn, quick things first. */
  async start() {
    makeSections(this.overview.figures);
    this.drawOverview();
    await this.ranking.update();
    document.body.classList.remove('loading');
    performance.mark('table');
    addEventListener('hashchange', () => this.route());
    addEventListener('keydown', (event) => this.onKey(event));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.recolour());
    addEventListener('beforeprint', () => this.resizeFor(true));
    addEventListener('afterprint', () => this.resizeFor(false));
    // plotly.js takes a while to be read; the table is to be seen before.
    await pause(30);
    this.plotly = this.source.loadPlotly();
    await Promise.all([this.route(), this.drawPictures().catch((error) => this.tell(error))]);
    performance.mark('pictures');
    document.body.dataset.ready = 'true';
  }

  // ------------------------------------------------------------------------------ the campaign

  drawOverview() {
    const { overview } = this;
    document.title = `${overview.name} – matscreen`;
    byId('name').textContent = overview.name;
    byId('description').textContent = overview.description;
    byId('glance-cards').replaceChildren(...glanceCards(overview));
    const { budget, counts } = overview;
    byId('budget').max = budget;
    byId('budget').value = ended(counts);
    byId('budget-said').textContent = `${ended(counts)} of ${counted(budget, 'candidate')} of the budget ended`;
    byId('settings').textContent = settingsSaid(overview);
    fill('outcomes', outcomesPart(overview));
    fill('cost', costPart(overview));
    const ran = overview.outcomes.map((each) => each.outcome);
    for (const option of this.ranking.outcome.options) {
      // What nobody has is not offered.
      option.hidden = !['', 'computed', 'predicted'].includes(option.value) && !ran.includes(/** @type {Outcome} */ (option.value));
    }
  }

  /** Draw the pictures of the campaign that are new or have changed. */
  async drawPictures() {
    for (const { name } of this.overview.figures) await this.drawPicture(name, await this.source.figure(name));
  }

  /**
   * @param {string} name Of the section.
   * @param {AnyPicture} view
   */
  async drawPicture(name, view) {
    const text = JSON.stringify(view);
    if (this.drawn[name] === text) return;
    const picture = byId(`${name}-plot`);
    byId(`${name}-said`).textContent = view.absent || view.caption;
    picture.hidden = view.absent !== '';
    picture.classList.toggle('square', view.form === 'curve' && view.square);
    if (!view.absent) {
      const { objective } = this.overview;
      const height = isNarrow() ? 460 : 420;
      figures.set(picture, { label: view.caption, make: (colours) => pictureFigure(view, objective, colours, height) });
      if (!(await this.drawFigure(picture))) return; // Hidden now; drawn when it is seen again.
    }
    this.drawn[name] = text;
  }

  /**
   * Draw a picture, if it can be seen.
   * @param {HTMLElement} picture
   */
  async drawFigure(picture) {
    await this.plotly;
    const figure = figures.get(picture);
    if (!figure || picture.offsetParent === null) return false;
    const isNew = !picture.classList.contains('js-plotly-plot');
    await draw(picture, figure.make(theme()), figure.label);
    if (isNew) {
      const events = /** @type {any} */ (picture);
      events.on('plotly_click', (/** @type {any} */ event) => {
        const id = event.points[0]?.customdata;
        if (typeof id === 'string') location.hash = candidateAddress(id);
      });
    }
    return true;
  }

  recolour() {
    for (const picture of document.querySelectorAll('.plot.js-plotly-plot')) {
      this.drawFigure(/** @type {HTMLElement} */ (picture));
    }
  }

  /**
   * Give pictures the width and colours of paper, or of the screen again.
   * @param {boolean} printing
   */
  resizeFor(printing) {
    document.documentElement.classList.toggle('printing', printing);
    for (const picture of document.querySelectorAll('.plot.js-plotly-plot')) {
      const figure = figures.get(/** @type {HTMLElement} */ (picture));
      if (!figure || /** @type {HTMLElement} */ (picture).offsetParent === null) continue;
      const { data, layout: paper, height } = figure.make(theme());
      const inPairs = picture.closest('.pictures > section:not(.wide)') !== null;
      const size = printing ? { width: inPairs ? 320 : 660, height: inPairs ? 260 : 340 } : { height };
      /** @type {HTMLElement} */ (picture).style.height = `${size.height}px`;
      Plotly.react(picture, data, { ...paper, ...size }, PLOTLY_OPTIONS);
    }
  }

  // ----------------------------------------------------------------------------- one candidate

  /** Show what the address names: a candidate, or the campaign. */
  async route() {
    const found = /^#candidate\/(.+)$/.exec(location.hash);
    const id = found && decoded(found[1]);
    if (id === null) return this.closeCandidate();
    if (this.open === null) {
      const candidate = /** @type {HTMLElement|null} */ (document.activeElement)?.dataset.candidate ?? '';
      this.place = { scroll: scrollY, candidate };
    }
    this.open = id;
    byId('campaign').hidden = true;
    byId('candidate').hidden = false;
    scrollTo(0, 0);
    await this.drawCandidate(true).catch((error) => this.tell(error));
    byId('candidate-body').querySelector('h2')?.focus({ preventScroll: true });
  }

  /** @param {boolean} isNew Whether it was not shown before. */
  async drawCandidate(isNew) {
    const id = this.open;
    if (id === null) return;
    const body = byId('candidate-body');
    if (isNew) {
      this.purge();
      body.replaceChildren(element('p', {}, 'Loading…'));
    }
    let view;
    try {
      view = await this.source.candidate(id);
    } catch (error) {
      if (!(error instanceof Problem) || this.open !== id) throw error;
      this.purge();
      if (error instanceof LeftOut) showRow(body, error.row, error.message, this.overview);
      else body.replaceChildren(element('h2', { tabindex: '-1' }, id), element('p', { class: 'absent' }, error.message));
      return;
    }
    const text = JSON.stringify(view);
    if (this.open !== id || (!isNew && this.drawn.candidate === text)) return;
    this.drawn.candidate = text;
    this.purge();
    showCandidate(body, view, this.overview, this.source.live);
    document.title = `${view.row.label} – ${this.overview.name} – matscreen`;
    for (const picture of body.querySelectorAll('.plot')) await this.drawFigure(picture);
    body.dataset.shown = id;
  }

  /** Let go of what plotly holds for the candidate, its WebGL context first of all. */
  purge() {
    const body = byId('candidate-body');
    delete body.dataset.shown;
    for (const picture of body.querySelectorAll('.js-plotly-plot')) Plotly.purge(picture);
  }

  closeCandidate() {
    if (this.open === null) return;
    const id = this.open;
    this.open = null;
    this.purge();
    byId('candidate-body').replaceChildren();
    byId('candidate').hidden = true;
    byId('campaign').hidden = false;
    document.title = `${this.overview.name} – matscreen`;
    const anchor = document.getElementById(location.hash.slice(1));
    if (anchor) anchor.scrollIntoView();
    else scrollTo(0, this.place.scroll);
    linkTo(this.place.candidate || id, byId('campaign'))?.focus({ preventScroll: true });
    // Pictures that changed while they were hidden, and those that were never drawn.
    this.drawPictures().catch((error) => this.tell(error));
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key !== 'Escape' || this.open === null) return;
    event.preventDefault();
    location.hash = '';
  }

  // ------------------------------------------------------------------------------- keeping up

  /** Ask now and then whether something has changed; draw what has. */
  async follow() {
    for (;;) {
      await pause(this.overview.finished ? POLL_FINISHED_MS : POLL_MS);
      if (document.hidden) continue;
      try {
        this.offer(await this.source.campaigns());
        const fresh = await this.source.overview();
        this.say('live');
        if (fresh === null) continue;
        this.overview = fresh;
        this.drawOverview();
        await this.ranking.refresh();
        if (this.open === null) await this.drawPictures();
        else await this.drawCandidate(false);
        this.say('live');
      } catch (error) {
        // What is shown is older than what was asked for: ask for all of it the next time.
        this.source.forget();
        this.tell(error);
      }
    }
  }

  /**
   * Offer the campaigns to choose from, where they are others than before.
   * @param {CampaignLine[]} lines
   */
  offer(lines) {
    const text = JSON.stringify(lines);
    if (this.drawn.campaigns === text) return;
    this.drawn.campaigns = text;
    offerCampaigns(lines, this.overview.name);
  }

  /** @param {string} message */
  say(message) {
    const place = byId('state');
    if (message === 'live' && this.source.live) {
      place.className = 'live';
      message = this.overview.finished ? 'finished' : 'live';
    } else {
      place.className = '';
    }
    // Only news: a screen reader reads it aloud.
    if (place.textContent !== message) place.textContent = message;
  }

  /** @param {unknown} error */
  tell(error) {
    if (!(error instanceof Problem || error instanceof Away)) console.error(error);
    const message = error instanceof Error ? error.message : String(error);
    this.say(error instanceof Away ? `${message}; trying again` : message);
    byId('state').className = 'away';
  }
}

// ------------------------------------------------------------------------------------------ start

/** @param {number} ms @returns {Promise<void>} */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The campaigns to choose from, where there are several.
 * @param {CampaignLine[]} lines
 * @param {string} current
 */
function offerCampaigns(lines, current) {
  const choice = byId('campaigns');
  choice.replaceChildren(
    ...lines.map(({ name, target, status }) =>
      element('option', { value: name, selected: name === current }, `${name} (${target}, ${status})`),
    ),
  );
  choice.closest('label').hidden = lines.length < 2;
  choice.onchange = () => location.assign(`?${new URLSearchParams({ campaign: choice.value })}`);
}

async function start() {
  if (typeof DecompressionStream === 'undefined') return; // browser_check.js has told the reader.
  for (;;) {
    try {
      const source = (await EmbeddedSource.found()) ?? (await HttpSource.found());
      const overview = await source.overview();
      if (overview === null) throw new Away('the server gave no answer');
      const page = new CampaignPage(source, overview);
      page.offer(await source.campaigns());
      page.say(source.live ? 'live' : `as of ${byId('documents').dataset.written}`);
      await page.start();
      if (source.live) await page.follow();
      return;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      byId('state').textContent = message;
      byId('state').className = 'away';
      if (!(error instanceof Away)) {
        if (!(error instanceof Problem)) console.error(error);
        return;
      }
      await pause(POLL_MS);
    }
  }
}

start();
