// Why a form was not saved, in the words of the answer: its number alone does not tell a runbook that was
// submitted meanwhile from a field that is wrong.
import { find, findAll } from './dom.js';

// What a page or a part of it says of a refusal as a whole.
const SENTENCES = '.notice.bad p, [data-refusal] p';

// What the answer's number says where the answer has no words.
function byNumber(status) {
  if (isOfServer(status)) return 'the server is busy';
  if (status < 400) return 'something between here and Tyrian answered instead';
  if (status === 413) return 'it is too large';
  return `it was refused (${status})`;
}

// Whether it is not for the form's sake: the same again may be saved in a while.
export function isOfServer(status) {
  return status >= 500 || status === 408 || status === 429;
}

// `isStrange` when the answer drew no form: then the marks in it are those of an earlier one.
export function reasonOf(form, status, isStrange = false) {
  if (!isStrange && find('.conflict', form)) return 'somebody else changed it too: choose what stays';
  if (!isStrange && find('[aria-invalid=true]', form)) return 'look at the marked fields';
  const said = [...findAll(SENTENCES, form), ...findAll(SENTENCES, find('#main'))];
  const words = said.map(({ textContent }) => textContent.replace(/\s+/g, ' ').trim()).find(Boolean);
  return words?.replace(/\.$/, '') ?? byNumber(status);
}
