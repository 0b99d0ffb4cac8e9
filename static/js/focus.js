// Where the keyboard's focus goes after a part of the page was drawn anew, and after Back.
import { around } from './dom.js';

// A row of a list that was followed, kept per address so that Back finds it.
const rowKey = () => `row ${location.href}`;

// At the capture, because whatever handles the click may change the address.
document.addEventListener('click', rememberRow, true);

function rememberRow(event) {
  const row = around(event, '[data-row][id]');
  if (row) sessionStorage.setItem(rowKey(), row.id);
}

document.addEventListener('htmx:after:settle', (event) => {
  const wanting = swappedNodes(event.detail).map(focusIn).find(wantsFocus);
  if (wanting) wanting.focus();
  else if (isFocusLost()) returnToRow();
});

// A morph tells only of nodes that are new, so the target is looked at too.
function swappedNodes({ newContent, ctx }) {
  const target = ctx?.target?.id && document.getElementById(ctx.target.id);
  return [...(newContent ?? []), target].filter(Boolean);
}

function focusIn(node) {
  return node.matches?.('[data-focus]') ? node : node.querySelector?.('[data-focus]');
}

// data-focus="if-lost" takes the focus only when what had it is gone.
function wantsFocus(element) {
  return element && (element.dataset.focus !== 'if-lost' || isFocusLost());
}

function isFocusLost() {
  return document.activeElement === document.body;
}

function returnToRow() {
  const id = sessionStorage.getItem(rowKey());
  if (id) document.getElementById(id)?.focus();
}
