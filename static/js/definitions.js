// Under a list of outcomes stands what the chosen one means; without scripts, what the saved one does.
import { find } from './dom.js';

document.addEventListener('change', ({ target }) => {
  const place = target.id && find(`[data-definition-of="${target.id}"]`);
  if (place) place.textContent = target.selectedOptions[0]?.title ?? '';
});
