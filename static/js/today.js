// A table of days that is wider than the screen starts at today, not at the first of the month.
function showToday() {
  for (const scroller of document.querySelectorAll('.scrolls')) {
    const today = scroller.querySelector('thead .today');
    const fixed = scroller.querySelector('thead th');
    if (!today || scroller.scrollLeft !== 0) continue;
    if (today.offsetLeft + today.offsetWidth <= scroller.clientWidth) continue;
    scroller.scrollLeft = today.offsetLeft - fixed.offsetWidth - today.offsetWidth;
  }
}

window.addEventListener('load', showToday);
document.addEventListener('htmx:after:swap', showToday);
