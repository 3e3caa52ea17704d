/** Phonon bands with their density of states, and spectral functions, as plotly draws them. */

/**
 * Segments of a path side by side, and the names of their ends.
 * @param {PhononView|SpectralView} view
 */
function pathOf(view) {
  const segments = /** @type {number[][]} */ ([]);
  const ticks = { at: /** @type {number[]} */ ([]), text: /** @type {string[]} */ ([]) };
  let start = 0;
  view.distance_per_a.forEach((distance, segment) => {
    const x = distance.map((place) => start + place - distance[0]);
    start = x[x.length - 1];
    const [from, to] = view.labels[segment].map(forPlotly);
    const before = ticks.text.length - 1;
    if (segment === 0) ticks.at.push(x[0]), ticks.text.push(from);
    else if (ticks.text[before] !== from) ticks.text[before] += `|${from}`;
    ticks.at.push(start);
    ticks.text.push(to);
    segments.push(x);
  });
  return { segments, ticks };
}

/**
 * @param {PhononView} view
 * @param {Theme} colours
 * @returns {Figure}
 */
function phononFigure(view, colours) {
  const divide = view.dos_per_thz.length ? 0.74 : 1;
  const data = [];
  const { segments, ticks } = pathOf(view);
  segments.forEach((x, segment) => {
    const branches = view.frequency_thz[segment][0].length;
    for (let branch = 0; branch < branches; branch++) {
      data.push({
        mode: 'lines', x, y: view.frequency_thz[segment].map((modes) => modes[branch]),
        line: { color: colours.first, width: 1.5 }, showlegend: false,
        hovertemplate: '%{y:.3g} THz<extra></extra>',
      });
    }
  });
  data.push({
    mode: 'lines', x: view.dos_per_thz, y: view.dos_frequency_thz, xaxis: 'x2', fill: 'tozerox',
    line: { color: colours.second, width: 1.5 }, showlegend: false,
    hovertemplate: '%{x:.3g} states per THz at %{y:.3g} THz<extra></extra>',
  });
  return {
    data,
    layout: layout(colours, {
      xaxis: axis('', colours, {
        domain: [0, divide], tickvals: ticks.at, ticktext: ticks.text, zeroline: false,
        range: [0, ticks.at[ticks.at.length - 1]], gridcolor: colours.faint,
      }),
      xaxis2: axis('states / THz⁻¹', colours, { domain: [Math.min(divide + 0.02, 1), 1], rangemode: 'tozero', visible: divide < 1 }),
      yaxis: axis('frequency / THz', colours, { zeroline: true, zerolinecolor: colours.ink, zerolinewidth: 1 }),
      margin: { l: 60, r: 16, t: 8, b: 48 },
    }),
    height: 420,
  };
}

/**
 * @param {SpectralView} view
 * @param {Theme} colours
 * @returns {Figure}
 */
function spectralFigure(view, colours) {
  const { segments, ticks } = pathOf(view);
  const data = segments.map((x, segment) => ({
    type: 'heatmap', x, y: view.frequency_thz, coloraxis: 'coloraxis',
    // Faint parts are the interesting ones: colours go with the root of the intensity.
    z: view.frequency_thz.map((_, at) => view.intensity_per_thz[segment].map((point) => Math.sqrt(point[at]))),
    customdata: view.frequency_thz.map((_, at) => view.intensity_per_thz[segment].map((point) => point[at])),
    hovertemplate: '%{customdata:.3g} states per THz at %{y:.3g} THz<extra></extra>',
  }));
  return {
    data,
    layout: layout(colours, {
      coloraxis: { colorscale: 'Viridis', showscale: false },
      xaxis: axis('', colours, {
        tickvals: ticks.at, ticktext: ticks.text, zeroline: false,
        range: [0, ticks.at[ticks.at.length - 1]], gridcolor: colours.faint,
      }),
      yaxis: axis('frequency / THz', colours, { zeroline: false }),
      margin: { l: 60, r: 16, t: 8, b: 48 },
    }),
    height: 420,
  };
}
