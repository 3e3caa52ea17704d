/** Pictures of one candidate: functions from a form to what plotly draws. */

/**
 * Several lines in one picture, told apart by colour and dash.
 * @param {Theme} colours
 * @param {number} index
 */
function lineStyle(colours, index) {
  const names = ['first', 'second', 'third', 'fourth'];
  return { color: colours[names[index % 4]], dash: ['solid', 'dash', 'dot', 'dashdot'][index % 4], width: 2 };
}

/**
 * Phonon bands, and the density of states beside them.
 * @param {BandsView|null} bands
 * @param {DosView|null} dos
 * @param {Theme} colours
 * @returns {Figure}
 */
function phononFigure(bands, dos, colours) {
  const frequency = 'frequency / THz';
  const divide = bands && dos ? 0.74 : bands ? 1 : 0;
  const data = [];
  const ticks = { at: /** @type {number[]} */ ([]), text: /** @type {string[]} */ ([]) };
  if (bands) {
    let start = 0;
    bands.distance_per_a.forEach((distance, segment) => {
      const x = distance.map((each) => start + each - distance[0]);
      start = x[x.length - 1];
      const [from, to] = bands.labels[segment].map(forPlotly);
      const before = ticks.text.length - 1;
      if (segment === 0) ticks.at.push(x[0]), ticks.text.push(from);
      else if (ticks.text[before] !== from) ticks.text[before] += `|${from}`;
      ticks.at.push(start);
      ticks.text.push(to);
      const branches = bands.frequency_thz[segment][0].length;
      for (let branch = 0; branch < branches; branch++) {
        data.push({
          mode: 'lines', x, y: bands.frequency_thz[segment].map((each) => each[branch]),
          line: { color: colours.first, width: 1.5 }, showlegend: false,
          hovertemplate: '%{y:.3g} THz<extra></extra>',
        });
      }
    });
  }
  if (dos) {
    data.push({
      mode: 'lines', x: dos.dos_per_thz, y: dos.frequency_thz, xaxis: 'x2', fill: 'tozerox',
      line: { color: colours.second, width: 1.5 }, showlegend: false,
      hovertemplate: '%{x:.3g} states per THz at %{y:.3g} THz<extra></extra>',
    });
  }
  return {
    data,
    layout: layout(colours, {
      xaxis: axis('', colours, {
        domain: [0, divide], tickvals: ticks.at, ticktext: ticks.text, zeroline: false,
        range: ticks.at.length ? [0, ticks.at[ticks.at.length - 1]] : [0, 1], visible: bands !== null,
        gridcolor: colours.faint,
      }),
      xaxis2: axis('states / THz⁻¹', colours, { domain: [divide && divide + 0.02, 1], rangemode: 'tozero', visible: dos !== null }),
      yaxis: axis(frequency, colours, { zeroline: true, zerolinecolor: colours.ink, zerolinewidth: 1 }),
      margin: { l: 60, r: 16, t: 8, b: 48 },
    }),
    height: 420,
  };
}

/**
 * κ against temperature; along the axes too where they differ.
 * @param {ConductivityView} view
 * @param {Theme} colours
 * @returns {Figure}
 */
function conductivityFigure(view, colours) {
  const mean = view.kappa_w_per_m_k;
  const along = [
    { name: 'along x', y: view.kappa_xx_w_per_m_k },
    { name: 'along y', y: view.kappa_yy_w_per_m_k },
    { name: 'along z', y: view.kappa_zz_w_per_m_k },
  ];
  const differs = along.some(({ y }) => y.some((each, i) => Math.abs(each - mean[i]) > 0.01 * mean[i]));
  const shown = [{ name: 'mean', y: mean }, ...(differs ? along : [])];
  return {
    data: shown.map(({ name, y }, i) => ({
      name, mode: 'lines', x: view.temperature_k, y, line: lineStyle(colours, i), showlegend: differs,
      hovertemplate: `${name}: %{y:.3g} W/m/K at %{x} K<extra></extra>`,
    })),
    layout: layout(colours, {
      xaxis: logAxis('temperature / K', colours, view.temperature_k),
      yaxis: logAxis('κ / (W/m/K)', colours, shown.flatMap(({ y }) => y)),
    }),
    height: 340,
  };
}

/**
 * κ at 300 K summed up to a mean free path.
 * @param {AccumulationView} view
 * @param {Theme} colours
 * @returns {Figure}
 */
function meanFreePathFigure(view, colours) {
  const total = Math.max(...view.kappa_of_mean_free_path_w_per_m_k);
  // The shortest paths carry next to nothing, over tens of decades.
  const carrying = view.mean_free_path_nm.filter((_, i) => view.kappa_of_mean_free_path_w_per_m_k[i] > 1e-3 * total);
  return {
    data: [
      {
        mode: 'lines', x: view.mean_free_path_nm, y: view.kappa_of_mean_free_path_w_per_m_k,
        line: lineStyle(colours, 0), hovertemplate: '%{y:.3g} W/m/K from paths up to %{x:.3g} nm<extra></extra>',
      },
    ],
    layout: layout(colours, {
      xaxis: logAxis('mean free path / nm', colours, carrying),
      yaxis: axis('accumulated κ / (W/m/K)', colours, { rangemode: 'tozero' }),
    }),
    height: 340,
  };
}

/**
 * κ at 300 K summed up to a frequency.
 * @param {AccumulationView} view
 * @param {Theme} colours
 * @returns {Figure}
 */
function accumulationFigure(view, colours) {
  return {
    data: [
      {
        mode: 'lines', x: view.frequency_thz, y: view.kappa_of_frequency_w_per_m_k,
        line: lineStyle(colours, 0), hovertemplate: '%{y:.3g} W/m/K from modes up to %{x:.3g} THz<extra></extra>',
      },
    ],
    layout: layout(colours, {
      xaxis: axis('frequency / THz', colours),
      yaxis: axis('accumulated κ / (W/m/K)', colours, { rangemode: 'tozero' }),
    }),
    height: 340,
  };
}

/**
 * κ at 300 K on each q-mesh, and the value that they tend to.
 * @param {MeshView} view
 * @param {Theme} colours
 * @returns {Figure}
 */
function meshFigure(view, colours) {
  const names = view.mesh.map((each) => each.join('×'));
  const { limit_w_per_m_k: limit, limit_error_w_per_m_k: error } = view;
  const ends = [-0.5, names.length - 0.5];
  return {
    data: [
      {
        name: 'value, with its error', mode: 'lines', fill: 'toself', hoverinfo: 'skip',
        x: [ends[0], ends[1], ends[1], ends[0]],
        y: [limit - error, limit - error, limit + error, limit + error],
        line: { width: 0, color: colours.second }, fillcolor: colours.highlight, showlegend: false,
      },
      {
        name: `value ${withError(limit, error)} W/m/K, the error that of the mesh`, mode: 'lines', x: ends, y: [limit, limit],
        line: lineStyle(colours, 1), hoverinfo: 'skip',
      },
      {
        name: 'on a mesh', mode: 'lines+markers', x: names.map((_, i) => i), y: view.kappa_300k_w_per_m_k,
        line: lineStyle(colours, 0), marker: { ...marker('computed', colours), color: colours.first }, text: names,
        hovertemplate: '%{y:.3g} W/m/K on %{text}<extra></extra>',
      },
    ],
    layout: layout(colours, {
      xaxis: axis('mesh of q-points', colours, { tickvals: names.map((_, i) => i), ticktext: names, range: ends, zeroline: false }),
      yaxis: axis('κ(300 K) / (W/m/K)', colours),
    }),
    height: 340,
  };
}

/**
 * Volume of an electrode's cell along its path.
 * @param {ElectrodePathView} view
 * @param {Theme} colours
 * @returns {Figure}
 */
function volumeFigure(view, colours) {
  const ion = forPlotly(view.working_ion);
  return {
    data: [
      {
        mode: 'lines+markers', x: view.working_ions, y: view.volume_a3, text: view.formula.map(forPlotly),
        line: lineStyle(colours, 0), marker: { ...marker('computed', colours), color: colours.first },
        hovertemplate: '%{text}: %{y:.4g} Å³<extra></extra>',
      },
    ],
    layout: layout(colours, {
      xaxis: axis(`${ion} per formula unit of the host`, colours),
      yaxis: axis('volume of a formula unit / Å³', colours),
    }),
    height: 340,
  };
}

/**
 * Voltage of each step between two compositions.
 * @param {ElectrodePathView} view
 * @param {Theme} colours
 * @returns {Figure}
 */
function voltageFigure(view, colours) {
  const ion = forPlotly(view.working_ion);
  const steps = view.step_voltage_v.map((_, i) => i);
  return {
    data: [
      {
        mode: 'lines',
        x: steps.flatMap((i) => [view.step_ions_charged[i], view.step_ions_discharged[i]]),
        y: steps.flatMap((i) => [view.step_voltage_v[i], view.step_voltage_v[i]]),
        line: { ...lineStyle(colours, 1), dash: 'solid' },
        hovertemplate: '%{y:.3g} V<extra></extra>',
      },
    ],
    layout: layout(colours, {
      xaxis: axis(`${ion} per formula unit of the host`, colours),
      yaxis: axis(`voltage against ${ion} metal / V`, colours, { rangemode: 'tozero' }),
    }),
    height: 340,
  };
}
