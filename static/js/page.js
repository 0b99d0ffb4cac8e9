// What several modules must know of the page. There is one page to a document, so there is one of these; each
// field says who writes it.
export const page = {
  // The page is being left on purpose, so nothing warns and no draft is sent. Written by guard.js, and by
  // saving.js when a save leads elsewhere.
  leaving: false,

  // The save of the guarded form that is under way, or null. Written by saving.js; meanwhile drafts and what
  // others saved wait. Its fields are described there; answers.js writes one of them.
  flight: null,
};
