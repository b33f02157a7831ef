// The chosen colours, before anything is painted: otherwise a dark page would flash white at each load.
try {
  const kept = localStorage.getItem('campanile.theme');
  if (kept === 'light' || kept === 'dark') document.documentElement.dataset.theme = kept;
} catch {
  // Without storage nothing was chosen.
}
