import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// One page, one script, one style sheet: nothing is inline, for the page's policy allows no such thing.
export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: 'dist',
    // tools/clean.mjs does it, and leaves the file that keeps the folder in git
    emptyOutDir: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    target: 'es2022',
  },
  server: {
    // `npm run dev` beside a daemon on its usual port
    proxy: { '/api': 'http://127.0.0.1:8646', '/metrics': 'http://127.0.0.1:8646' },
  },
});
