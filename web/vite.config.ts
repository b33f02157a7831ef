// How the pages are built. Everything is relative, because the program may stand behind a path of a proxy.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

declare const process: { env: Record<string, string | undefined> };

// Where `npm run dev` finds a running Campanile.
const server = process.env.CAMPANILE ?? 'http://127.0.0.1:9595';

// Ways of drawing that TimeChart does not use, bars and curves: 3 kB that every first load would carry.
const UNUSED_PATHS = /\(paths\.(bars|stepped|spline) *= \w+\);/g;

const leanPlot: Plugin = {
  name: 'lean-plot',
  enforce: 'pre',
  transform(code, id) {
    if (!id.includes('uPlot.esm.js')) return null;
    if (code.match(UNUSED_PATHS)?.length !== 3) throw new Error('uPlot is written in another way: adjust UNUSED_PATHS');
    return { code: code.replace(UNUSED_PATHS, ''), map: null };
  },
};

// All but the entry itself, the other pages, and what only they use.
const EAGER =
  /node_modules\/(svelte|uplot|esm-env|clsx)|src\/(App|router|clock|theme|load)|src\/(api\/(?!rules|access)|live|chart|format|pages\/(Overview|overview\/(?!Trouble)))|src\/parts\/(?!UptimeBar|LabelChips|WindowRows)/;

// Each file has its name in the first one, where names compress badly: so what belongs together is one.
const LATER = [
  { name: 'admin', test: /src\/(pages\/(Users|Teams|Tokens|Audit|tokens)|access\/(AdminPage|Dialog|Pick|audit|expiry|snippets))/ },
  { name: 'access', test: /src\/(pages\/(Login|Password)|access\/|api\/access)/ },
];

export default defineConfig({
  base: './',
  plugins: [leanPlot, svelte({ compilerOptions: { runes: true, css: 'external', discloseVersion: false } })],
  build: {
    target: 'es2022',
    // The browsers that know light-dark(); older ones would need every colour twice.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    sourcemap: false,
    // The content policy allows images of data:, but a file of its own is cached.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // scripts/budget.js reads it, and takes it away.
    manifest: true,
    // What is built holds the work of others, whose licences ask to be named.
    license: { fileName: 'licenses.txt' },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // What the overview needs is one file: several compress worse, by 2 kB of 60.
        codeSplitting: {
          groups: [{ name: 'campanile', test: EAGER }, ...LATER],
        },
      },
    },
    // CodeMirror, which only Explore loads.
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: {
      '/api': server,
      '/auth': server,
      '/health': server,
      '/metrics': server,
      '/ws': { target: server, ws: true },
    },
  },
});
