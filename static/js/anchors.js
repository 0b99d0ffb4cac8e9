// A link that points into something closed opens it first: what it names is to be read.

function openTarget() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  const closed = target ? target.closest('details:not([open])') : null;
  if (!closed) {
    return;
  }
  closed.open = true;
  target.scrollIntoView();
}

addEventListener('hashchange', openTarget);
openTarget();
