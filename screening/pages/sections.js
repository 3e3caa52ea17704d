/** The sections of a campaign's page: what they say, as nodes. */

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/**
 * Make a section, and a link to it, for each picture of a campaign.
 * @param {FigureView[]} figures
 */
function makeSections(figures) {
  const link = document.querySelector('nav a[href="#outcomes"]');
  for (const { name, title } of figures) {
    link?.before(element('a', { href: `#${name}` }, title), '\n');
    byId('outcomes').before(
      element(
        'section',
        { id: name, 'aria-labelledby': `${name}-title` },
        element('h2', { id: `${name}-title` }, title),
        element('figure', {}, element('div', { class: 'plot', id: `${name}-plot` }), element('figcaption', { id: `${name}-said` })),
      ),
    );
  }
}

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
    (sum, share) => ({ amount: sum.amount + share.cost, unit: share.cost_unit, wall: sum.wall + share.wall_h }),
    { amount: 0, unit: '', wall: 0 },
  );
  const best = overview.best_candidate_id;
  const expected = objective.error_basis ? overview.best_expected_value : null;
  const goal = objective.direction === 'minimize' ? 'lowest' : 'highest';
  const found = [
    card(
      `${goal} ${expected === null ? '' : 'expected '}${objective.value.label} so far`,
      element('strong', {}, best ? inUnit(inDigits(expected ?? overview.best_value), objective.value.unit) : '–'),
      best ? element('div', {}, candidateLink(best, best)) : 'nothing is computed yet',
      expected === null ? null : element('div', {}, `computed: ${inUnit(inDigits(overview.best_value), objective.value.unit)}`),
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
    found.push(card('throughput', element('strong', {}, `${inDigits(overview.candidates_per_hour, 2)} / h`), 'candidates'));
  }
  if (overview.expected_end !== null) {
    found.push(card('expected end', element('strong', {}, dateAndTime(overview.expected_end))));
  }
  if (cost.amount || cost.wall) {
    found.push(card('spent', element('strong', {}, duration(cost.wall)), `of computing, ${cost.amount.toLocaleString('en-GB')} ${cost.unit}`));
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
      `${share.cost.toLocaleString('en-GB')} ${share.cost_unit}`,
      duration(share.wall_h),
      element('meter', { min: '0', max: String(most || 1), value: String(share.wall_h), 'aria-label': duration(share.wall_h) }),
    ]);
    return table(`By ${kind}`, [kind, 'candidates', 'cost', 'wall time', ''], rows, [1, 2, 3]);
  });
}
