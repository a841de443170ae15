// Empties dist, but for the file that keeps the folder in git.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';

mkdirSync('dist', { recursive: true });
for (const name of readdirSync('dist')) {
  if (name !== '.gitignore') rmSync(`dist/${name}`, { recursive: true });
}
