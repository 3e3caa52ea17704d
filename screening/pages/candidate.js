/** All that is known of one candidate, as a page of its own. */

/* global Plotly */

/** What the samplers' reasons mean. @type {Object<string, string>} */
const REASONS = {
  'space-filling': 'the first picks are spread over the pool',
  random: 'drawn at random',
  prior: 'it was expected to be best by what is known beforehand',
  'expected-improvement': 'it promised the largest expected improvement on the best value',
  'probability-of-improvement': 'it was the most likely to improve on the best value',
  'lower-confidence-bound': 'its prediction was best when it is given the benefit of the doubt',
  thompson: 'it was best in one draw from what the model holds possible',
  greedy: 'its prediction was best',
};

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
      section('Crystal', crystalPart(view)),
      section(view.relaxed ? 'Facts' : 'Facts, as the source states them', factsTable(view.facts, view.crystal)),
    ),
    section('Why it was picked', ...picksPart(view.picks, objective)),
    element('div', { class: 'pictures' }, ...curves(view)),
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
    [heading(value), withError(row.value, row.value_error)],
    [`${row.value === null ? 'predicted' : 'predicted before'} ${heading(value)}`, prediction(row, objective)],
    ...objective.beside.map((each) => [heading(each), plainly(row.beside[each.field] ?? null)]),
    ['engine', row.engine ?? ''],
    ['material', row.material_id],
    ['space group', `No. ${row.space_group_number}`],
  ];
  return element(
    'header',
    {},
    element('h2', { tabindex: '-1' }, ...formulaNodes(row.formula), ' ', element('small', {}, row.candidate_id)),
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

/** @param {CandidateView} view */
function crystalPart(view) {
  const { crystal } = view;
  const picture = element('div', { class: 'plot', 'data-figure': 'crystal' });
  /** @param {number} along */
  const turn = (along) => () => Plotly.relayout(picture, { 'scene.camera': cameraAlong(crystal, along) });
  const label = `Crystal of ${crystal.formula}, space group ${crystal.space_group}, ${counted(crystal.sites.length, 'atom')} in the cell`;
  figures.set(picture, { label, make: (colours) => crystalFigure(crystal, colours) });
  return element(
    'figure',
    {},
    picture,
    element(
      'figcaption',
      {},
      `${view.relaxed ? 'Relaxed by the engine' : 'As the source has it'}; ${counted(crystal.sites.length, 'atom')} in the cell. `,
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

/**
 * @param {Fact[]} facts
 * @param {CrystalView} crystal
 */
function factsTable(facts, crystal) {
  const rows = [
    ['space group', crystal.space_group],
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
      `Number ${pick.number}, in round ${pick.round}, for ${pick.engine}: ${REASONS[pick.reason] ?? pick.reason}.`,
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
 */
function curves(view) {
  const { bands, dos, conductivity, accumulation, meshes, electrode_path: path } = view;
  const found = [];
  if (bands || dos) {
    const title = bands && dos ? 'Phonon bands and density of states' : bands ? 'Phonon bands' : 'Phonon density of states';
    found.push(curve(title, 'Imaginary frequencies are drawn as negative ones.', (c) => phononFigure(bands, dos, c), 'wide'));
  }
  if (conductivity) {
    const mesh = conductivity.mesh.join('×');
    found.push(curve('κ against temperature', `On a ${mesh} mesh of q-points, the densest computed.`, (c) => conductivityFigure(conductivity, c)));
  }
  if (accumulation) {
    found.push(curve('Accumulated κ against mean free path', 'κ at 300 K of all phonons whose mean free path is shorter.', (c) => meanFreePathFigure(accumulation, c)));
    found.push(curve('Accumulated κ against frequency', 'κ at 300 K of all phonons whose frequency is lower.', (c) => accumulationFigure(accumulation, c)));
  }
  if (meshes) {
    found.push(curve('Convergence with the mesh', 'κ at 300 K on each mesh, and its value: the middle between the densest mesh and the extrapolation to an infinitely dense one. The band is the part of its error that comes from the mesh.', (c) => meshFigure(meshes, c)));
  }
  if (path) {
    found.push(curve('Volume along the path', 'From charged (left) to discharged.', (c) => volumeFigure(path, c)));
    found.push(curve('Voltage along the path', 'Between neighbouring compositions.', (c) => voltageFigure(path, c)));
  }
  if (!found.length && view.row.outcome === 'computed') {
    return [element('p', { class: 'absent' }, 'Results of this target hold no curves.')];
  }
  return found;
}

/**
 * @param {string} title
 * @param {string} caption
 * @param {(colours: Theme) => Figure} make
 * @param {string} [kind]
 */
function curve(title, caption, make, kind = '') {
  const picture = element('div', { class: 'plot', 'data-figure': title });
  figures.set(picture, { label: `${title}. ${caption}`, make });
  return element('section', { class: kind }, element('h3', {}, title), element('figure', {}, picture, element('figcaption', {}, caption)));
}

/**
 * @param {CandidateView} view
 * @param {boolean} live
 */
function provenancePart(view, live) {
  const rows = [
    ...view.origins.map((origin) => ['found in', `${origin.source}: ${origin.material_id}${origin.note ? ` (${origin.note})` : ''}`]),
    ...Object.entries(view.provenance),
    [live ? 'all of it' : 'more', `screen show ${view.row.candidate_id}`],
  ];
  return element('dl', { class: 'list' }, ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}
