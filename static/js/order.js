// Lists whose rows are put in order by dragging their grip. Rows are the children with data-id of an element
// with data-sortable; each holds its part of the form, so the order of the rows is the order that is sent.
import { around } from './dom.js';

let dragged = null;

export function isRowDragged() {
  return dragged !== null;
}

// A row can be dragged by its grip alone: elsewhere a pointer selects text.
document.addEventListener('pointerdown', (event) => {
  const row = around(event, '[data-sortable] .grip')?.closest('[data-id]');
  if (row) row.draggable = true;
});

document.addEventListener('dragstart', (event) => {
  if (!event.target.matches?.('[data-sortable] > [data-id]')) return;
  dragged = event.target;
  dragged.classList.add('dragging');
});

document.addEventListener('dragover', (event) => {
  const over = around(event, '[data-id]');
  if (!dragged || over?.parentElement !== dragged.parentElement) return;
  event.preventDefault();
  if (over === dragged) return;
  const { top, height } = over.getBoundingClientRect();
  if (event.clientY > top + height / 2) over.after(dragged);
  else over.before(dragged);
});

document.addEventListener('dragend', () => {
  const row = dragged;
  const list = row?.parentElement;
  if (!list) return;
  dragged = null;
  row.draggable = false;
  row.classList.remove('dragging');
  // What the form was rendered with stands in a field of its own, so that another order counts as a change.
  const order = list.parentElement.querySelector(':scope > [name=order]');
  if (order) order.value = [...list.children].map(({ dataset }) => dataset.id).join(' ');
  list.dispatchEvent(new Event('change', { bubbles: true }));
  if (list.dataset.autosubmit !== undefined) list.closest('form')?.requestSubmit();
});
