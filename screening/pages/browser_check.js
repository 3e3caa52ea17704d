// Old browsers cannot read the other files of this page; this one they can.
var state = document.getElementById('state');
if (state && typeof DecompressionStream === 'undefined') {
  state.textContent =
    'This browser is too old for this page. Use Chrome or Edge 103, Firefox 113, Safari 16.4, or newer.';
}
