/** Pictures of a campaign: functions from a form to what plotly draws. */

/* global Plotly */

/**
 * @typedef {{data: object[], layout: object, height: number}} Figure
 * @typedef {Object<string, string>} Theme Colours of page.css, without the leading dashes.
 */

const PLOTLY_OPTIONS = {
  responsive: true,
  displaylogo: false,
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d', 'resetCameraLastSave3d'],
};

const THEME = [
  'ink', 'faint', 'line', 'paper', 'highlight',
  ...Object.keys(OUTCOMES), 'first', 'second', 'third', 'fourth',
];

/** Whether the page is as narrow as a phone's. */
function isNarrow() {
  return innerWidth < 700;
}

/** The colours that hold now: light or dark. @returns {Theme} */
function theme() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(THEME.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/**
 * An axis with its unit.
 * @param {string} title
 * @param {Theme} colours
 * @param {object} [more]
 */
function axis(title, colours, more = {}) {
  return {
    title: { text: title, standoff: 8 },
    gridcolor: colours.line,
    zerolinecolor: colours.line,
    linecolor: colours.faint,
    ticks: 'outside',
    tickcolor: colours.line,
    automargin: true,
    exponentformat: 'power',
    ...more,
  };
}

/**
 * Ticks at whole numbers only, of which there are so many.
 * @param {number} count
 */
function whole(count) {
  return count <= 10 ? { dtick: 1 } : {};
}

/**
 * A logarithmic axis with plain numbers at its ticks: 0.5, 1, 2.
 * @param {string} title
 * @param {Theme} colours
 * @param {(number|null)[]} values What it has to show.
 */
function logAxis(title, colours, values) {
  const logs = values.filter((each) => each !== null && each > 0).map((each) => Math.log10(Number(each)));
  const [least, most] = logs.length ? [Math.min(...logs), Math.max(...logs)] : [0, 1];
  const margin = 0.05 * (most - least) + 0.02;
  const ticks = most - least > 0.45 ? decadeTicks(least, most) : evenTicks(10 ** least, 10 ** most);
  return axis(title, colours, {
    type: 'log',
    range: [least - margin, most + margin],
    tickvals: ticks,
    ticktext: ticks.map((tick) => plainNumber(tick)),
  });
}

/**
 * Ticks over decades, the fewer the more there are.
 * @param {number} least Decimal logarithm.
 * @param {number} most
 */
function decadeTicks(least, most) {
  const digits = most - least > 3.5 ? [1] : most - least > 0.9 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
  const decades = Array.from({ length: Math.ceil(most) - Math.floor(least) + 3 }, (_, i) => Math.floor(least) - 1 + i);
  return decades.flatMap((decade) => digits.map((digit) => digit * 10 ** decade));
}

/**
 * Ticks at round numbers the same distance apart, for less than half a decade.
 * @param {number} least
 * @param {number} most
 */
function evenTicks(least, most) {
  const rough = Math.max(most - least, 0.02 * most) / 4;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * decade).find((each) => each >= rough) ?? rough;
  const first = Math.floor(least / step) - 1;
  return Array.from({ length: 9 }, (_, i) => (first + i) * step).filter((each) => each > 0);
}

/**
 * An axis of the objective's values.
 * @param {string} title
 * @param {ObjectiveView} objective
 * @param {Theme} colours
 * @param {(number|null)[]} values
 */
function valueAxis(title, objective, colours, values) {
  if (objective.logarithmic) return logAxis(title, colours, values);
  const known = values.filter((each) => each !== null).map(Number);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  // Around a single value plotly would show everything from one below to one above.
  const only = known.length && least === most && least !== 0;
  return axis(title, colours, only ? { range: [0.5 * least, 1.5 * least].sort((a, b) => a - b) } : {});
}

/**
 * @param {Theme} colours
 * @param {object} more
 */
function layout(colours, more) {
  return {
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    font: { family: 'system-ui, sans-serif', size: 13, color: colours.ink },
    margin: { l: 60, r: 16, t: 16, b: 48 },
    hovermode: 'closest',
    hoverlabel: {
      bgcolor: colours.paper, bordercolor: colours.faint, font: { color: colours.ink }, align: 'left',
    },
    legend: { orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', bgcolor: 'rgba(0,0,0,0)', font: { size: isNarrow() ? 11 : 13 } },
    // What the reader has zoomed into stays when new data arrive.
    uirevision: 'kept',
    ...more,
  };
}

/**
 * Draw a figure, or draw it anew in place.
 * @param {HTMLElement} place
 * @param {Figure} figure
 * @param {string} label What it shows, in a sentence, for those who do not see it.
 */
async function draw(place, figure, label) {
  place.style.height = `${figure.height}px`;
  place.setAttribute('role', 'img');
  place.setAttribute('aria-label', label);
  await Plotly.react(place, figure.data, figure.layout, PLOTLY_OPTIONS);
}

/**
 * Points of one outcome; smaller where there are many.
 * @param {Outcome} outcome
 * @param {Theme} colours
 * @param {number} [count]
 */
function marker(outcome, colours, count = 1) {
  return {
    symbol: OUTCOMES[outcome].symbol,
    color: colours[outcome],
    size: count > 200 ? 6 : 9,
    line: { width: outcome === 'predicted' ? 2 : 1, color: outcome === 'predicted' ? colours[outcome] : colours.paper },
  };
}

/**
 * Lines of a hover label.
 * @param {...string} lines
 */
function label(...lines) {
  return lines.filter(Boolean).map(forPlotly).join('<br>');
}

/**
 * Best value so far against the number of evaluations, with what random choice would have found.
 * @param {ProgressView} view
 * @param {ObjectiveView} objective
 * @param {Theme} colours
 * @returns {Figure}
 */
function progressFigure(view, objective, colours) {
  const unit = objective.value.unit;
  const steps = view.number.map((_, i) => i);
  /** @param {number} i */
  const text = (i) =>
    label(
      `${view.number[i]}. ${view.formula[i]} (round ${view.round[i]})`,
      view.value[i] === null ? '' : inUnit(inDigits(view.value[i]), unit),
      view.outcome[i] === 'computed' ? '' : OUTCOMES[view.outcome[i]].word,
    );
  const outcomes = /** @type {Outcome[]} */ (Object.keys(OUTCOMES));
  const points = outcomes.flatMap((outcome) => {
    const mine = steps.filter((i) => view.outcome[i] === outcome);
    if (!mine.length) return [];
    const valued = outcome === 'computed' || mine.some((i) => view.value[i] !== null);
    return {
      name: OUTCOMES[outcome].word,
      mode: 'markers',
      x: mine.map((i) => view.number[i]),
      y: mine.map((i) => (valued ? view.value[i] : 0.5)),
      yaxis: valued ? 'y' : 'y2',
      marker: marker(outcome, colours, view.number.length),
      customdata: mine.map((i) => view.candidate_id[i]),
      text: mine.map(text),
      hovertemplate: '%{text}<extra></extra>',
    };
  });
  const valueless = points.some((each) => each.yaxis === 'y2');
  const data = [
    {
      name: 'best so far',
      mode: 'lines',
      x: view.number,
      y: view.best,
      line: { shape: 'hv', color: colours.computed, width: 2.5 },
      hoverinfo: 'skip',
    },
    {
      visible: view.random_best.some((each) => each !== null),
      name: 'best by random choice, expected',
      mode: 'lines',
      x: view.number,
      y: view.random_best.slice(0, view.number.length),
      line: { color: colours.faint, width: 2, dash: 'dash' },
      hovertemplate: `random choice: %{y:.3g} ${forPlotly(unit)} expected after %{x}<extra></extra>`,
    },
    ...points,
  ];
  const title = heading(objective.value);
  const values = [...view.value, ...view.random_best];
  return {
    data,
    layout: layout(colours, {
      xaxis: axis('candidates computed', colours, { anchor: valueless ? 'y2' : 'y', rangemode: 'tozero', ...whole(view.number.length) }),
      yaxis: {
        ...valueAxis(title, objective, colours, values),
        domain: [valueless ? 0.1 : 0, 1],
      },
      yaxis2: {
        domain: [0, 0.08], range: [0, 1], fixedrange: true, showgrid: false, zeroline: false,
        tickvals: [0.5], ticktext: ['no value'],
      },
    }),
    height: isNarrow() ? 460 : 420,
  };
}

/**
 * What was predicted when a candidate was chosen, against what was computed.
 * @param {ParityView} view
 * @param {ObjectiveView} objective
 * @param {Theme} colours
 * @returns {Figure}
 */
function parityFigure(view, objective, colours) {
  const { computed, predicted, predicted_low: low, predicted_high: high } = view;
  const unit = objective.value.unit;
  const all = [...computed, ...predicted, ...low, ...high];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const text = view.candidate_id.map((_, i) =>
    label(
      `${view.number[i]}. ${view.formula[i]}`,
      `predicted ${inUnit(prediction({ predicted_value: predicted[i], predicted_low: low[i], predicted_high: high[i] }, objective), unit)}`,
      `computed ${inUnit(withError(computed[i], view.computed_error[i]), unit)}`,
    ),
  );
  const bars = { type: 'data', symmetric: false, color: colours.faint, thickness: 1.2, width: 0 };
  const data = [
    {
      name: 'predicted = computed',
      mode: 'lines',
      x: [least, most],
      y: [least, most],
      line: { color: colours.faint, dash: 'dash' },
      hoverinfo: 'skip',
    },
    {
      name: 'candidate, with one standard deviation',
      mode: 'markers',
      x: computed,
      y: predicted,
      error_y: { ...bars, array: high.map((each, i) => each - predicted[i]), arrayminus: low.map((each, i) => predicted[i] - each) },
      error_x: { ...bars, symmetric: true, array: view.computed_error.map((each) => each ?? 0) },
      marker: marker('computed', colours, computed.length),
      customdata: view.candidate_id,
      text,
      hovertemplate: '%{text}<extra></extra>',
    },
  ];
  const title = heading(objective.value);
  const errors = view.computed_error.map((each) => each ?? 0);
  const shown = computed.flatMap((each, i) => [each - errors[i], each + errors[i]]);
  return {
    data,
    layout: layout(colours, {
      xaxis: valueAxis(`computed ${title}`, objective, colours, [...shown, ...low, ...high]),
      yaxis: valueAxis(`predicted ${title}`, objective, colours, [...shown, ...low, ...high]),
    }),
    height: 460,
  };
}

/**
 * The second objective against the first; a line joins what no other result beats in both.
 * @param {TradeOffView} view
 * @param {ObjectiveView} objective
 * @param {SecondObjectiveView} also
 * @param {Theme} colours
 * @returns {Figure}
 */
function tradeOffFigure(view, objective, also, colours) {
  const indices = view.value.map((_, i) => i);
  /** @param {boolean} best @param {string} name @param {object} look */
  const points = (best, name, look) => {
    const mine = indices.filter((i) => view.on_front[i] === best);
    return {
      name, mode: 'markers', x: mine.map((i) => view.value[i]), y: mine.map((i) => view.second[i]),
      error_x: { type: 'data', array: mine.map((i) => view.value_error[i] ?? 0), color: colours.faint, thickness: 1.2, width: 0 },
      marker: { size: 9, ...look },
      customdata: mine.map((i) => view.candidate_id[i]),
      text: mine.map((i) => label(
        view.formula[i],
        `${objective.value.label}: ${inUnit(withError(view.value[i], view.value_error[i]), objective.value.unit)}`,
        `${also.label}: ${inUnit(inDigits(view.second[i]), also.unit)}`,
      )),
      hovertemplate: '%{text}<extra></extra>',
    };
  };
  const front = indices.filter((i) => view.on_front[i]).sort((i, j) => view.value[i] - view.value[j]);
  /** @param {string} direction */
  const goal = (direction) => (direction === 'minimize' ? 'low is good' : 'high is good');
  const data = [
    {
      // Between two of the front only the worse of each is sure to be reached.
      name: 'front', mode: 'lines', showlegend: false, hoverinfo: 'skip',
      x: front.map((i) => view.value[i]), y: front.map((i) => view.second[i]),
      line: { shape: objective.direction === 'minimize' ? 'hv' : 'vh', color: colours.computed, width: 1.5 },
    },
    points(false, 'beaten by another', { symbol: 'circle-open', color: colours.faint }),
    points(true, 'on the Pareto front', { symbol: 'diamond', color: colours.computed }),
  ];
  return {
    data,
    layout: layout(colours, {
      xaxis: valueAxis(`${heading(objective.value)} (${goal(objective.direction)})`, objective, colours, view.value),
      yaxis: axis(`${heading(also)} (${goal(also.direction)})`, colours),
    }),
    height: isNarrow() ? 420 : 440,
  };
}

/**
 * The pool in two directions; what was chosen coloured by when.
 * @param {PoolMapView} view
 * @param {ObjectiveView} objective
 * @param {Theme} colours
 * @returns {Figure}
 */
function poolMapFigure(view, objective, colours) {
  const indices = view.candidate_id.map((_, i) => i);
  const chosen = indices.filter((i) => view.number[i] !== null);
  const others = indices.filter((i) => view.number[i] === null);
  const unit = objective.value.unit;
  /** @param {number} i */
  const text = (i) =>
    label(
      view.formula[i],
      view.number[i] === null ? 'not chosen so far' : `chosen as number ${view.number[i]} (round ${view.round[i]})`,
      view.value[i] === null
        ? OUTCOMES[view.outcome[i]].word
        : `${OUTCOMES[view.outcome[i]].word}: ${inUnit(inDigits(view.value[i]), unit)}`,
    );
  /** @param {number[]} mine */
  const places = (mine) => ({
    mode: 'markers',
    x: mine.map((i) => view.x[i]),
    y: mine.map((i) => view.y[i]),
    customdata: mine.map((i) => view.candidate_id[i]),
    text: mine.map(text),
    hovertemplate: '%{text}<extra></extra>',
  });
  const present = /** @type {Outcome[]} */ (Object.keys(OUTCOMES)).filter((outcome) =>
    chosen.some((i) => view.outcome[i] === outcome),
  );
  const last = Math.max(1, ...chosen.map((i) => view.number[i] ?? 1));
  const [x, y] = view.explained_fraction.map((each) => `${Math.round(100 * each)} % of the variance`);
  const data = [
    { ...places(others), name: 'not chosen', marker: { color: colours.faint, size: 5, opacity: 0.45 } },
    ...present.map((outcome, i) => {
      const mine = chosen.filter((each) => view.outcome[each] === outcome);
      return {
        ...places(mine),
        // A pick whose result is awaited is "predicted" in the ranking.
        name: outcome === 'predicted' ? 'chosen, result awaited' : OUTCOMES[outcome].word,
        marker: {
          symbol: outcome === 'predicted' ? 'diamond' : OUTCOMES[outcome].symbol,
          size: 11,
          color: mine.map((each) => view.number[each]),
          colorscale: 'Cividis',
          cmin: 1,
          cmax: last,
          line: { width: 1, color: colours.ink },
          showscale: i === 0,
          colorbar: {
            title: { text: 'chosen as number', side: isNarrow() ? 'top' : 'right' }, thickness: 12, outlinewidth: 0, ...whole(last),
            ...(isNarrow() ? { orientation: 'h', y: -0.22, yanchor: 'top' } : {}),
          },
        },
      };
    }),
  ];
  return {
    data,
    layout: layout(colours, {
      xaxis: axis(`first direction (${x})`, colours, { zeroline: false }),
      yaxis: axis(`second direction (${y})`, colours, { zeroline: false }),
    }),
    height: isNarrow() ? 540 : 460,
  };
}
