/** All that is known of one candidate, as a page of its own. */

/* global Plotly */

/**
 * Fill a place with a candidate.
 * @param {HTMLElement} place
 * @param {CandidateView} view
 * @param {Overview} overview
 * @param {boolean} live
 */
function showCandidate(place, view, overview, live) {
  const objective = overview.objective;
  place.replaceChildren(
    candidateHeader(view.row, objective),
    element('p', { class: 'absent' }, absence(view.row, view.picks, objective)),
    element(
      'div',
      { class: 'pair' },
      view.picture && section(view.picture.form === 'crystal' ? 'Crystal' : 'Drawing', drawingPart(view.picture)),
      section(view.relaxed ? 'Facts' : 'Facts, as the source states them', factsTable(view)),
    ),
    section('Why it was picked', ...picksPart(view.picks, objective)),
    element('div', { class: 'pictures' }, ...curves(view, objective)),
    section('Provenance', provenancePart(view, live)),
  );
}

/**
 * Fill a place with what the ranking says, where there is no more.
 * @param {HTMLElement} place
 * @param {RankingRow} row
 * @param {string} why
 * @param {Overview} overview
 */
function showRow(place, row, why, overview) {
  place.replaceChildren(candidateHeader(row, overview.objective), element('p', { class: 'absent' }, why));
}

/**
 * @param {RankingRow} row
 * @param {ObjectiveView} objective
 */
function candidateHeader(row, objective) {
  const { value } = objective;
  const facts = [
    ['outcome', outcomeMark(row.outcome, isUnknown(row))],
    ['rank', isUnknown(row) ? '' : String(row.rank)],
    [heading(value), computedValue(row)],
    ['within one total error', totalInterval(row)],
    [`expected by first principles ${heading(value)}`, expectation(row, objective)],
    ['total error by', row.total_low === null ? '' : row.error_basis],
    [`${row.value === null ? 'predicted' : 'predicted before'} ${heading(value)}`, prediction(row, objective)],
    ...objective.shown_fields.map((each) => [heading(each), furtherValue(row, each.field)]),
    ['engine', row.engine ?? ''],
    ['material', row.material_id],
    ...objective.facts.map((fact) => [heading(fact), plainly(row.facts[fact.field] ?? null)]),
  ];
  return element(
    'header',
    {},
    element('h2', { tabindex: '-1' }, ...labelNodes(row.label, objective), ' ', element('small', {}, row.candidate_id)),
    element('dl', { class: 'cards' }, ...facts.filter(([, each]) => each).map(([name, each]) => card(name, each))),
  );
}

/**
 * A name and what it is, as a tile.
 * @param {string|Node} name
 * @param {...(string|Node|null)} content
 */
function card(name, ...content) {
  return element('div', { class: 'card' }, element('dt', {}, name), element('dd', {}, ...content));
}

/**
 * Why a candidate lacks what others have, in one line; empty where it lacks nothing.
 * @param {RankingRow} row
 * @param {PickView[]} picks
 * @param {ObjectiveView} objective
 */
function absence(row, picks, objective) {
  const awaited = picks.some((pick) => pick.state === 'queued' || pick.state === 'claimed');
  switch (row.outcome) {
    case 'predicted':
      if (awaited) return 'Chosen; its result is awaited. Shown is what is known so far.';
      return isUnknown(row) ? 'Not computed yet, nor predicted.' : 'Predicted only; not computed yet.';
    case 'failed':
      return `Failed, so there is no ${objective.value.label}; the error is below.`;
    case 'unstable':
      if (row.estimate !== null) {
        return (
          `Unstable by this engine${row.reason && `: ${row.reason}`}. In brackets is ${objective.value.label} ` +
          'without the imaginary modes. Of the crystals of the table that the engine calls unstable as ' +
          'deeply, none is so in first principles; by Laplace’s rule the probability of being really ' +
          `unstable is ${Math.round(100 * (row.probability_unstable ?? 0))} %, if crystals are like those.`
        );
      }
      return `Unstable${row.reason && `: ${row.reason}`}. So there is no ${objective.value.label}.`;
    case 'infeasible':
      return `Computed, but it breaks a constraint of the campaign: ${row.reason}.`;
    default:
      return '';
  }
}

/**
 * @param {string} title
 * @param {...(Node|string)} content
 */
function section(title, ...content) {
  return element('section', {}, element('h3', {}, title), ...content);
}

/**
 * A value of any kind as text.
 * @param {number|string|boolean|null} value
 */
function plainly(value) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'number') return value ?? '';
  // Counts and years are whole and stay so.
  return Number.isInteger(value) ? minus(String(value)) : inDigits(Number(value.toPrecision(4)), 4).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
}

/**
 * A further field of a result, with its total error where it has a table.
 * @param {RankingRow} row
 * @param {string} field
 */
function furtherValue(row, field) {
  const value = row.shown_fields[field] ?? null;
  const total = row.shown_total_std[`total_std_${field}`];
  return typeof value === 'number' && total !== undefined ? withError(value, total) : plainly(value);
}

/**
 * What the candidate looks like.
 * @param {CrystalView|SvgView} view
 */
function drawingPart(view) {
  if (view.form === 'svg') {
    const source = `data:image/svg+xml,${encodeURIComponent(view.svg)}`;
    return element('figure', {}, element('img', { src: source, alt: view.caption }), element('figcaption', {}, view.caption));
  }
  const picture = element('div', { class: 'plot', 'data-figure': 'crystal' });
  /** @param {number} along */
  const turn = (along) => () => Plotly.relayout(picture, { 'scene.camera': cameraAlong(view, along) });
  const label = `Crystal of ${view.formula}, space group ${view.space_group}, ${counted(view.sites.length, 'atom')} in the cell`;
  figures.set(picture, { label, make: (colours) => crystalFigure(view, colours) });
  return element(
    'figure',
    {},
    picture,
    element(
      'figcaption',
      {},
      `${view.caption} `,
      element(
        'span',
        { class: 'controls' },
        'Drag to turn, or look along ',
        ...['a', 'b', 'c'].map((name, along) =>
          element('button', { type: 'button', onclick: turn(along), 'aria-label': `look along ${name}` }, name),
        ),
      ),
    ),
  );
}

/** @param {CandidateView} view */
function factsTable({ facts, picture }) {
  const rows = [
    ...(picture?.form === 'crystal' ? [['space group', picture.space_group]] : []),
    ...facts.filter((fact) => fact.value !== null && fact.value !== '').map((fact) => [
      heading(fact), plainly(fact.value),
    ]),
  ];
  return element(
    'div',
    { class: 'scroll' },
    element(
      'table',
      { class: 'facts' },
      element('tbody', {}, ...rows.map(([name, value]) =>
        element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, value)))),
    ),
  );
}

/**
 * @param {PickView[]} picks
 * @param {ObjectiveView} objective
 * @returns {Node[]}
 */
function picksPart(picks, objective) {
  if (!picks.length) return [element('p', {}, 'The campaign has not picked it.')];
  return picks.map((pick) => {
    const said = [
      `Number ${pick.number}, in round ${pick.round}, for ${pick.engine}: ${pick.reason_text}.`,
    ];
    if (pick.predicted_value !== null) {
      said.push(
        `Predicted then: ${inUnit(prediction(pick, objective), objective.value.unit)}, by a model of ${counted(pick.fitted_on, 'result')}.`,
      );
    }
    if (pick.place !== null) said.push(`Of the candidates that were free it was number ${pick.place}.`);
    const near = pick.neighbours.flatMap((id, i) => [i ? ', ' : '', candidateLink(id, id)]);
    return element(
      'div',
      {},
      element('p', {}, said.join(' '), ' State: ', element('strong', {}, pick.state), '.'),
      near.length ? element('p', {}, 'Nearest candidates with values: ', ...near, '.') : null,
      pick.error ? element('pre', { class: 'error', tabindex: '0' }, pick.error) : null,
    );
  });
}

/**
 * The curves that there are; each picture with what it shows.
 * @param {CandidateView} view
 * @param {ObjectiveView} objective
 */
function curves(view, objective) {
  // The density of states stands beside the bands.
  const shown = view.curves.filter(({ name }) => name !== 'dos' || !view.curves.some(({ form }) => form === 'phonons'));
  if (!shown.length && view.row.outcome === 'computed') {
    return [element('p', { class: 'absent' }, 'Results of this target hold no curves.')];
  }
  return shown.map((curve) => {
    if (curve.absent) return element('section', {}, element('h3', {}, curve.title), element('p', { class: 'absent' }, curve.absent));
    const picture = element('div', { class: 'plot', 'data-figure': curve.title });
    const label = `${curve.title}. ${curve.caption}`;
    figures.set(picture, { label, make: (colours) => pictureFigure(curve, objective, colours, 340) });
    const kind = curve.form === 'phonons' || curve.form === 'spectral' ? 'wide' : '';
    return element('section', { class: kind }, element('h3', {}, curve.title), element('figure', {}, picture, element('figcaption', {}, curve.caption)));
  });
}

/**
 * @param {CandidateView} view
 * @param {boolean} live
 */
function provenancePart(view, live) {
  const rows = [
    ...view.origins.map((origin) => ['found in', `${origin.source}: ${origin.material_id}${origin.note ? ` (${origin.note})` : ''}`]),
    ...Object.entries(view.provenance),
    [live ? 'all of it' : 'more', `matscreen show ${view.row.candidate_id}`],
  ];
  return element('dl', { class: 'list' }, ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}
