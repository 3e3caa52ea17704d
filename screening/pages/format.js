/** Numbers, units and outcomes as text, and text as nodes: foreign text is never read as HTML. */

/**
 * What became of a candidate: a word, a mark and plotly's symbol for it.  Colours are in page.css.
 * @type {Object<Outcome, {word: string, mark: string, symbol: string}>}
 */
const OUTCOMES = {
  computed: { word: 'computed', mark: '●', symbol: 'circle' },
  predicted: { word: 'predicted', mark: '◇', symbol: 'diamond-open' },
  infeasible: { word: 'infeasible', mark: '■', symbol: 'square' },
  unstable: { word: 'unstable', mark: '▼', symbol: 'triangle-down' },
  failed: { word: 'failed', mark: '✕', symbol: 'x' },
};

/**
 * A number with so many significant digits, without trailing noise: 0.0123, 12.3, 1.23 × 10⁻⁷.
 * @param {number|null|undefined} value
 * @param {number} [digits]
 * @returns {string} Empty for no number.
 */
function inDigits(value, digits = 3) {
  if (value === null || value === undefined) return '';
  if (value === 0) return '0';
  // 999.9 is 1,000 in three digits, not 1.00e+3.
  value = Number(value.toPrecision(digits));
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split('e');
    return `${minus(mantissa)} × 10${raised(Number(exponent))}`;
  }
  if (size >= 10 ** digits) return minus(Math.round(value).toLocaleString('en-GB'));
  return minus(value.toPrecision(digits));
}

/**
 * A number without trailing zeros: 0.5, 20, 10⁻⁴.
 * @param {number} value
 * @param {number} [digits]
 */
function plainNumber(value, digits = 4) {
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) {
    return inDigits(value, 1).replace(/^1 × /, '');
  }
  return minus(String(Number(value.toPrecision(digits))));
}

/** @param {string} text */
function minus(text) {
  return text.replace('-', '−');
}

/** @param {number} exponent */
function raised(exponent) {
  return [...String(exponent)].map((each) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(each)] ?? '⁻').join('');
}

/**
 * A value with its standard error: 0.859 ± 0.043.
 * @param {number|null} value
 * @param {number|null} error
 */
function withError(value, error) {
  if (error === null || value === null) return inDigits(value);
  if (error <= 1e-6 || error >= 1e4) return `${inDigits(value)} ± ${inDigits(error, 2)}`;
  // Two digits of the error, rounded before they are counted, and the value to the same place.
  const decimals = Math.max(1 - Math.floor(Math.log10(Number(error.toPrecision(2)))), 0);
  return `${minus(value.toFixed(decimals))} ± ${error.toFixed(decimals)}`;
}

/**
 * A prediction with its standard deviation, a factor where the objective is logarithmic.
 * @param {{predicted_value: number|null, predicted_low: number|null, predicted_high: number|null}} row
 * @param {ObjectiveView} objective
 */
function prediction(row, objective) {
  const { predicted_value: value, predicted_low: low, predicted_high: high } = row;
  if (value === null) return '';
  if (low === null || high === null) return inDigits(value);
  if (objective.logarithmic) {
    return low > 0 ? `${inDigits(value)} ×/÷ ${inDigits(Math.sqrt(high / low), 2)}` : inDigits(value);
  }
  return `${inDigits(value)} ± ${inDigits((high - low) / 2, 2)}`;
}

/**
 * What first principles are expected to find where an engine has a table of its errors.
 * @param {RankingRow} row
 * @param {ObjectiveView} objective
 */
function expectation(row, objective) {
  const { expected_value, expected_low, expected_high } = row;
  if (expected_low === null) return '';
  return prediction(
    { predicted_value: expected_value, predicted_low: expected_low, predicted_high: expected_high },
    objective,
  );
}

/**
 * The interval of one total standard error about a computed value.
 * @param {RankingRow} row
 */
function totalInterval({ total_low: low, total_high: high, extrapolated }) {
  if (low === null || high === null) return '';
  return `${inDigits(low, 2)} to ${inDigits(high, 2)}${extrapolated ? ' *' : ''}`;
}

/**
 * The computed value with the error that the calculation itself tells of; in brackets the estimate
 * for a crystal that the engine calls unstable.
 * @param {RankingRow} row
 */
function computedValue(row) {
  if (row.estimate !== null) return `(${withError(row.estimate, row.estimate_error)})`;
  return withError(row.value, row.value_error);
}

/**
 * A heading: the label, and the unit where there is one; a quotient gets its brackets.
 * @param {{label: string, unit: string}} quantity
 */
function heading({ label, unit }) {
  if (!unit) return label;
  // A unit stays on the line of its stroke.
  return `${label} /\u00a0${unit.includes('/') ? `(${unit})` : unit}`;
}

/**
 * A number and its unit.
 * @param {string} number
 * @param {string} unit
 */
function inUnit(number, unit) {
  return unit && number ? `${number} ${unit}` : number;
}

/**
 * @param {number} count
 * @param {string} noun
 * @param {string} [plural]
 */
function counted(count, noun, plural) {
  return `${count.toLocaleString('en-GB')} ${count === 1 ? noun : (plural ?? `${noun}s`)}`;
}

/** @param {number} hours */
function duration(hours) {
  if (hours < 1 / 60) return `${inDigits(hours * 3600, 2)} s`;
  return hours < 1 ? `${inDigits(hours * 60, 2)} min` : `${inDigits(hours)} h`;
}

/** @param {string} moment ISO 8601 */
function dateAndTime(moment) {
  return new Date(moment).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

/**
 * Text for plotly, which reads a few HTML tags in its labels.
 * @param {string} text
 */
function forPlotly(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

// ----------------------------------------------------------------------------------------- nodes

/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, string|boolean|((event: any) => void)>} [attributes] `on…` are listeners.
 * @param {...(Node|string|null|undefined)} children
 * @returns {any}
 */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else if (typeof value === 'boolean') made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((each) => each !== null && each !== undefined));
  return made;
}

/**
 * A chemical formula, numbers below the line.
 * @param {string} formula
 */
function formulaNodes(formula) {
  const parts = formula.split(/((?<=[A-Za-z)\]])\d+(?:\.\d+)?)/);
  return parts.map((part, index) => (index % 2 ? element('sub', {}, part) : part));
}

/**
 * The name of a candidate; where it is a formula, numbers below the line.
 * @param {string} label
 * @param {ObjectiveView} objective
 * @returns {(Node|string)[]}
 */
function labelNodes(label, objective) {
  return objective.elements ? formulaNodes(label) : [label];
}

/**
 * Whether nothing is known of a candidate's value: too few results for a model.
 * @param {RankingRow} row
 */
function isUnknown(row) {
  return row.outcome === 'predicted' && row.predicted_value === null;
}

/**
 * @param {Outcome} outcome
 * @param {boolean} [unknown] Whether there is not even a prediction.
 */
function outcomeMark(outcome, unknown = false) {
  const { mark } = OUTCOMES[outcome];
  const word = unknown ? 'not computed' : OUTCOMES[outcome].word;
  return element(
    'span',
    { class: 'outcome' },
    element('span', { class: `mark ${outcome}`, 'aria-hidden': 'true' }, mark),
    ` ${word}`,
  );
}

/** @param {string} id */
function candidateAddress(id) {
  return `#candidate/${encodeURIComponent(id)}`;
}

/**
 * A link that opens a candidate.
 * @param {string} id
 * @param {...(Node|string)} children
 */
function candidateLink(id, ...children) {
  return element('a', { href: candidateAddress(id), 'data-candidate': id }, ...children);
}

/**
 * A table.
 * @param {string} caption
 * @param {string[]} headings
 * @param {(Node|string)[][]} rows
 * @param {number[]} [numeric] Columns that hold numbers.
 */
function table(caption, headings, rows, numeric = []) {
  /** @param {number} column @returns {Object<string, string>} */
  const kind = (column) => (numeric.includes(column) ? { class: 'number' } : {});
  return element(
    'div',
    { class: 'scroll' },
    element(
      'table',
      {},
      element('caption', {}, caption),
      element(
        'thead',
        {},
        element('tr', {}, ...headings.map((each, i) => element('th', { scope: 'col', ...kind(i) }, each))),
      ),
      element(
        'tbody',
        {},
        ...rows.map((row) =>
          element('tr', {}, ...row.map((cell, i) => element('td', kind(i), cell))),
        ),
      ),
    ),
  );
}
