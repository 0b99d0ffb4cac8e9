// One tick in a table's head sets those of all its rows.
import { around, findAll } from './dom.js';

document.addEventListener('change', (event) => {
  if (!event.target.matches('[data-tick-all]')) return;
  const table = around(event, 'table');
  for (const box of findAll('td.tick input', table)) box.checked = event.target.checked;
});
