/** The page: puts a campaign's documents into its sections, and keeps up with what changes. */

/* global Plotly */

const POLL_MS = 3000;
const POLL_FINISHED_MS = 15_000;

/**
 * What each picture shows, and how it is drawn; kept so that it can be drawn in other colours.
 * @type {WeakMap<HTMLElement, {label: string, make: (colours: Theme) => Figure}>}
 */
const figures = new WeakMap();

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

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
    present('trade-off', overview.objective.also !== null);
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
    const { objective } = this.overview;
    if (objective.also) {
      const { also } = objective;
      await this.picture('trade-off', this.source.tradeOff(), (view, colours) => tradeOffFigure(view, objective, also, colours), {
        label: (view) => tradeOffSaid(view, objective, also),
        lacks: (view) => (view.value.length ? '' : 'No candidate has both values yet.'),
      });
    }
    await this.picture('progress', this.source.progress(), (view, colours) => progressFigure(view, objective, colours), {
      label: (view) => progressSaid(view, objective),
      lacks: (view) => (view.number.length ? '' : 'No candidate has ended yet.'),
    });
    await this.picture('parity', this.source.parity(), (view, colours) => parityFigure(view, objective, colours), {
      label: (view) => paritySaid(view, objective),
      lacks: (view) => (view.computed.length ? '' : nothingPredicted(view, objective)),
    });
    await this.picture('map', this.source.poolMap(), (view, colours) => poolMapFigure(view, objective, colours), {
      label: mapSaid,
      lacks: (view) => (view.shown ? '' : 'The pool is empty.'),
    });
  }

  /**
   * @template View
   * @param {string} name Of the section.
   * @param {Promise<View>} asked
   * @param {(view: View, colours: Theme) => Figure} make
   * @param {{label: (view: View) => string, lacks: (view: View) => string}} words
   */
  async picture(name, asked, make, { label, lacks }) {
    const view = await asked;
    const text = JSON.stringify(view);
    if (this.drawn[name] === text) return;
    const picture = byId(`${name}-plot`);
    const why = lacks(view);
    byId(`${name}-said`).textContent = why || label(view);
    picture.hidden = Boolean(why);
    if (!why) {
      figures.set(picture, { label: label(view), make: (colours) => make(view, colours) });
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
    document.title = `${view.row.formula} – ${this.overview.name} – matscreen`;
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

// ----------------------------------------------------------------------------------- the sections

/**
 * Put content into a section; a section without content is not there.
 * @param {string} name
 * @param {Node[]} content
 */
function fill(name, content) {
  present(name, content.length > 0);
  byId(`${name}-content`).replaceChildren(...content);
}

/**
 * Have a section on the page or not, and its link.
 * @param {string} name
 * @param {boolean} there
 */
function present(name, there) {
  byId(name).hidden = !there;
  document.querySelector(`nav a[href="#${name}"]`)?.toggleAttribute('hidden', !there);
}

/** @param {Object<string, number>} counts */
function ended(counts) {
  return ['computed', 'infeasible', 'unstable', 'failed', 'cancelled'].reduce(
    (sum, each) => sum + (counts[each] ?? 0), 0,
  );
}

/** @param {Overview} overview */
function glanceCards(overview) {
  const { objective, counts } = overview;
  const cost = overview.cost_by_engine.reduce(
    (sum, each) => ({ calls: sum.calls + each.force_calls, wall: sum.wall + each.wall_h }),
    { calls: 0, wall: 0 },
  );
  const best = overview.best_candidate_id;
  const goal = objective.direction === 'minimize' ? 'lowest' : 'highest';
  const found = [
    card(
      `${goal} ${objective.value.label} so far`,
      element('strong', {}, best ? inUnit(inDigits(overview.best_value), objective.value.unit) : '–'),
      best ? element('div', {}, candidateLink(best, best)) : 'nothing is computed yet',
    ),
    .../** @type {Outcome[]} */ (Object.keys(OUTCOMES))
      .filter((outcome) => counts[outcome])
      .map((outcome) => card(outcomeMark(outcome), element('strong', {}, counts[outcome].toLocaleString('en-GB')))),
    ...[
      ['running now', counts.running], ['queued', counts.queued], ['cancelled', counts.cancelled],
      ['known from earlier campaigns', counts.already_computed],
    ].filter(([, count]) => count).map(([name, count]) => card(String(name), element('strong', {}, count.toLocaleString('en-GB')))),
    card('candidates in the pool', element('strong', {}, overview.pool.toLocaleString('en-GB'))),
  ];
  if (counts.to_confirm) {
    found.push(card('confirmed by a better engine', element('strong', {}, `${counts.confirmed} of ${counts.to_confirm}`)));
  }
  if (overview.candidates_per_hour !== null) {
    found.push(card('pace', element('strong', {}, `${inDigits(overview.candidates_per_hour, 2)} / h`), 'candidates'));
  }
  if (overview.expected_end !== null) {
    found.push(card('expected end', element('strong', {}, dateAndTime(overview.expected_end))));
  }
  if (cost.calls || cost.wall) {
    found.push(card('spent', element('strong', {}, duration(cost.wall)), `of computing, ${counted(cost.calls, 'force call')}`));
  }
  return found;
}

/** @param {Overview} overview */
function settingsSaid(overview) {
  const [explores, ...confirm] = overview.engines;
  return [
    `Target ${overview.target}`,
    `${overview.finished ? 'finished' : overview.status}`,
    `submitted ${dateAndTime(overview.created_at)}`,
    `engine ${explores}${confirm.length ? `, confirmed by ${confirm.join(', ')}` : ''}`,
    `sampler ${overview.sampler}, ${overview.batch_size} at a time`,
    overview.prior === null ? '' : `starting from campaign ${overview.prior}`,
    `seed ${overview.seed}`,
  ].filter(Boolean).join(' · ');
}

/** @param {Overview} overview */
function outcomesPart(overview) {
  const found = [];
  if (overview.outcomes.length) {
    const rows = overview.outcomes.map((group) => [
      outcomeMark(group.outcome),
      String(group.count),
      element('span', { class: 'foreign' }, group.reason || '–'),
      someCandidates(group),
    ]);
    found.push(table('How candidates ended', ['outcome', 'candidates', 'reason', 'which'], rows, [1]));
  }
  if (overview.refusals.length) {
    const rows = overview.refusals.map((group) => [
      String(group.count),
      element('span', { class: 'foreign' }, group.reason),
      element('span', { class: 'foreign' }, group.example),
    ]);
    found.push(table('Entries of the sources that were refused', ['entries', 'reason', 'for instance'], rows, [0]));
  }
  found.push(...overview.remarks.map((remark) => element('p', { class: 'foreign' }, remark)));
  return found;
}

/** @param {OutcomeGroup} group */
function someCandidates(group) {
  const shown = group.candidate_ids.slice(0, 6);
  const more = group.count - shown.length;
  return element(
    'span',
    {},
    ...shown.flatMap((id, i) => [i ? ', ' : '', candidateLink(id, id)]),
    more > 0 ? ` and ${more} more` : '',
  );
}

/** @param {Overview} overview */
function costPart(overview) {
  /** @type {[string, CostShare[]][]} */
  const kinds = [['engine', overview.cost_by_engine], ['step', overview.cost_by_step]];
  return kinds.filter(([, shares]) => shares.length).map(([kind, shares]) => {
    const most = Math.max(...shares.map((share) => share.wall_h));
    const rows = shares.map((share) => [
      share.name,
      share.candidates.toLocaleString('en-GB'),
      share.force_calls.toLocaleString('en-GB'),
      duration(share.wall_h),
      element('meter', { min: '0', max: String(most || 1), value: String(share.wall_h), 'aria-label': duration(share.wall_h) }),
    ]);
    return table(`By ${kind}`, [kind, 'candidates', 'force calls', 'wall time', ''], rows, [1, 2, 3]);
  });
}

// --------------------------------------------------------------------------- pictures in a sentence

/**
 * @param {ProgressView} view
 * @param {ObjectiveView} objective
 */
function progressSaid(view, objective) {
  const last = view.number.length - 1;
  const unit = objective.value.unit;
  const best = view.best[last];
  const random = view.random_best[last];
  if (best === null) return `None of the ${counted(last + 1, 'candidate')} computed has a value.`;
  const basis = view.random_predicted
    ? `, taking predictions for the ${view.random_predicted} of ${view.random_known + view.random_predicted} that are not computed`
    : '';
  return (
    `After ${counted(last + 1, 'candidate')} the best is ${inUnit(inDigits(best), unit)}` +
    (random === null || random === undefined ? '.' : `; random choice would be expected to have found ${inUnit(inDigits(random), unit)}${basis}.`)
  );
}

/**
 * @param {ParityView} view
 * @param {ObjectiveView} objective
 */
function paritySaid(view, objective) {
  const said = [`${counted(view.computed.length, 'candidate')} predicted when chosen, and computed since.`];
  if (view.coverage_1std !== null) {
    said.push(`${Math.round(100 * view.coverage_1std)} % lie within one standard deviation (68 % would be right).`);
  }
  return [...said, modelSaid(view.calibration, objective)].filter(Boolean).join(' ');
}

/**
 * Why there is nothing to compare.
 * @param {ParityView} view
 * @param {ObjectiveView} objective
 */
function nothingPredicted(view, objective) {
  const why = objective.also
    ? `With two objectives candidates are chosen by both together, so nothing was predicted of ${objective.value.label} alone.`
    : 'Nothing that was predicted when it was chosen is computed yet.';
  return [why, modelSaid(view.calibration, objective)].filter(Boolean).join(' ');
}

/**
 * How good the model is now; empty where that is not known.
 * @param {CalibrationView|null} model
 * @param {ObjectiveView} objective
 */
function modelSaid(model, objective) {
  if (!model) return '';
  const error = objective.logarithmic
    ? `a factor of ${inDigits(model.typical_error)}`
    : inUnit(inDigits(model.typical_error), objective.value.unit);
  return (
    `The model today, each of ${counted(model.count, 'result')} left out once: typical error ${error}, ` +
    `${Math.round(100 * model.coverage_1std)} % within one standard deviation, ` +
    `rank correlation ${inDigits(model.rank_correlation, 2)}.`
  );
}

/**
 * @param {TradeOffView} view
 * @param {ObjectiveView} objective
 * @param {SecondObjectiveView} also
 */
function tradeOffSaid(view, objective, also) {
  const best = view.on_front.filter(Boolean).length;
  return (
    `${capitalised(objective.value.label)} and ${also.label} of ${counted(view.value.length, 'candidate')}. ` +
    `${best} of them ${best === 1 ? 'is' : 'are'} on the Pareto front: no other is as good in both and better in one.`
  );
}

/** @param {PoolMapView} view */
function mapSaid(view) {
  const both = Math.round(100 * (view.explained_fraction[0] + view.explained_fraction[1]));
  const chosen = view.number.filter((each) => each !== null).length;
  const sample = view.shown < view.pool ? `${counted(view.shown, 'candidate')} of ${view.pool.toLocaleString('en-GB')}, all chosen ones among them` : counted(view.pool, 'candidate');
  return `${capitalised(sample)}, ${chosen} chosen so far. Likeness in composition and geometry, in the two directions that hold ${both} % of the variance of the features.`;
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
  if (typeof DecompressionStream === 'undefined') return; // check.js has told the reader.
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
