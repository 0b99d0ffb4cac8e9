// The schedule's drawer comes over the list without it: the row that it tells of is marked here, as the
// server marks it on a whole page.
function markRow() {
  const open = document.querySelector('#drawer [data-of]')?.dataset.of;
  for (const row of document.querySelectorAll('tr[data-engagement]')) {
    if (row.dataset.engagement === open) row.setAttribute('aria-current', 'true');
    else row.removeAttribute('aria-current');
  }
}

document.addEventListener('htmx:after:swap', markRow);
