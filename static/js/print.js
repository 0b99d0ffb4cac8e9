// “Print” opens the page with everything drawn and this anchor. Here the dialog is opened; without scripts
// the page stands ready for the browser's own command.
const ANCHOR = '#print';

async function printWhole() {
  if (location.hash !== ANCHOR) return;
  history.replaceState(history.state, '', location.pathname + location.search);
  const pictures = [...document.querySelectorAll('img[loading="lazy"]')];
  for (const picture of pictures) picture.loading = 'eager';
  await Promise.allSettled(pictures.map((picture) => picture.decode()));
  window.print();
}

window.addEventListener('hashchange', printWhole);
window.addEventListener('load', printWhole);
