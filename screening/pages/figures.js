/** Pictures: functions from a form to what plotly draws. */

/* global Plotly */

/**
 * What plotly draws of a picture.
 * @param {AnyPicture} view
 * @param {ObjectiveView} objective
 * @param {Theme} colours
 * @param {number} height
 * @returns {Figure}
 */
function pictureFigure(view, objective, colours, height) {
  switch (view.form) {
    case 'phonons':
      return phononFigure(view, colours);
    case 'spectral':
      return spectralFigure(view, colours);
    case 'map':
      return poolMapFigure(view, objective, colours);
    default:
      return curveFigure(view, colours, height);
  }
}

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
 * @param {Axis} form
 * @param {Theme} colours
 * @param {number[]} values What it has to show.
 */
function logAxis(form, colours, values) {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  const [first, last] = logs.length ? [Math.min(...logs), Math.max(...logs)] : [0, 1];
  const margin = 0.05 * (last - first) + 0.02;
  const least = form.low === null ? first - margin : Math.log10(form.low);
  const most = form.high === null ? last + margin : Math.log10(form.high);
  // Margins hold no ticks that the data would not have.
  const [from, to] = [form.low === null ? first : least, form.high === null ? last : most];
  const ticks = to - from > 0.45 ? decadeTicks(from, to) : evenTicks(10 ** from, 10 ** to);
  return axis(form.title, colours, {
    type: 'log',
    range: [least, most],
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
 * An axis of a curve.
 * @param {Axis} form
 * @param {Theme} colours
 * @param {number[]} values What it has to show.
 */
function formAxis(form, colours, values) {
  if (form.logarithmic) return logAxis(form, colours, values);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const bare = form.low === null && form.high === null;
  return axis(form.title, colours, {
    zeroline: !form.ticks.length,
    ...(bare ? {} : { range: [form.low, form.high] }),
    // Around a single value plotly would show everything from one below to one above.
    ...(bare && least === most && least !== 0 ? { range: [0.5 * least, 1.5 * least].sort((a, b) => a - b) } : {}),
    ...(form.whole ? whole(most - least) : {}),
    ...(form.ticks.length ? { tickvals: form.ticks.map((tick) => tick.at), ticktext: form.ticks.map((tick) => forPlotly(tick.name)) } : {}),
  });
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

/** Dashes and plotly's symbol of each role that is no outcome; its colour is the theme's. */
const ROLES = {
  first: { colour: 'first', dash: 'solid', symbol: 'circle' },
  second: { colour: 'second', dash: 'dash', symbol: 'square' },
  third: { colour: 'third', dash: 'dashdot', symbol: 'triangle-up' },
  fourth: { colour: 'fourth', dash: 'dot', symbol: 'triangle-down' },
  guide: { colour: 'faint', dash: 'dash', symbol: 'circle-open' },
  value: { colour: 'ink', dash: 'solid', symbol: 'diamond-open' },
};
/** @type {Object<string, string>} */
const STEPS = { 'step after': 'hv', 'step before': 'vh' };
const NOTES = {
  above: { yshift: 4, yanchor: 'bottom', xanchor: 'center' },
  below: { yshift: -4, yanchor: 'top', xanchor: 'center' },
  right: { xshift: 4, yshift: -2, yanchor: 'top', xanchor: 'left' },
};

/**
 * Lines and points over two axes.
 * @param {CurveView} view
 * @param {Theme} colours
 * @param {number} height
 * @returns {Figure}
 */
function curveFigure(view, colours, height) {
  const valueless = view.lines.some((line) => !line.y.length);
  const across = view.lines.flatMap(({ x, x_error: error }) => x.flatMap((at, i) => [at - (error[i] ?? 0), at + (error[i] ?? 0)]));
  const up = view.lines.flatMap((line) => [...line.y, ...line.y_low, ...line.y_high]);
  const [x, y] = [formAxis(view.x, colours, across), formAxis(view.y, colours, up)];
  /** @type {(form: Axis, at: number) => number} */
  const placed = (form, at) => (form.logarithmic ? Math.log10(at) : at);
  return {
    data: view.lines.map((line) => lineTrace(line, colours)),
    layout: layout(colours, {
      xaxis: { ...x, anchor: valueless ? 'y2' : 'y' },
      yaxis: { ...y, domain: [valueless ? 0.1 : 0, 1] },
      yaxis2: {
        domain: [0, 0.08], range: [0, 1], fixedrange: true, showgrid: false, zeroline: false,
        tickvals: [0.5], ticktext: ['no value'], visible: valueless,
      },
      annotations: view.notes.map((note) => ({
        x: placed(view.x, note.x), y: placed(view.y, note.y), showarrow: false, align: 'left',
        text: label(...note.text.split('\n')), font: { size: 11, color: colours.ink }, ...NOTES[note.place],
      })),
    }),
    height,
  };
}

/**
 * One line of a curve, or its points.
 * @param {Line} line
 * @param {Theme} colours
 */
function lineTrace(line, colours) {
  const outcome = line.role in OUTCOMES ? /** @type {Outcome} */ (line.role) : null;
  const role = ROLES[/** @type {keyof ROLES} */ (line.role)] ?? { ...ROLES.first, colour: line.role };
  const colour = colours[role.colour];
  const bar = { type: 'data', color: line.role === 'value' ? colour : colours.faint, thickness: 1.2, width: 0 };
  const points = line.shape.includes('points');
  const quiet = line.role === 'guide' && !line.texts.length;
  return {
    name: forPlotly(line.label),
    showlegend: line.label !== '',
    mode: line.shape === 'points' ? 'markers' : points ? 'lines+markers' : 'lines',
    x: line.x,
    y: line.y.length ? line.y : line.x.map(() => 0.5),
    yaxis: line.y.length ? 'y' : 'y2',
    fill: line.shape === 'area' ? 'tozeroy' : 'none',
    line: {
      color: colour, width: line.role === 'guide' ? 1.5 : 2,
      ...(line.shape in STEPS ? { shape: STEPS[line.shape] } : { dash: role.dash }),
    },
    marker: outcome ? marker(outcome, colours, line.x.length) : { symbol: role.symbol, color: colour, size: line.shape === 'points' ? 8 : 6 },
    ...(line.x_error.length ? { error_x: { ...bar, array: line.x_error } } : {}),
    ...(line.y_low.length
      ? { error_y: {
        ...bar, symmetric: false,
        array: line.y_high.map((high, i) => high - line.y[i]), arrayminus: line.y_low.map((low, i) => line.y[i] - low),
      } }
      : {}),
    customdata: line.ids,
    text: line.texts.map((text) => label(...text.split('\n'))),
    ...(quiet ? { hoverinfo: 'skip' } : { hovertemplate: line.texts.length ? '%{text}<extra></extra>' : '%{y:.3g} at %{x:.3g}<extra></extra>' }),
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
      view.label[i],
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
