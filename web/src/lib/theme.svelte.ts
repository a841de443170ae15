// Light or dark: as the system has it, until somebody says otherwise; then that is remembered.

const NAME = 'spillway.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

const wanted = (): 'dark' | 'light' => {
  const said = localStorage.getItem(NAME);
  return said === 'dark' || said === 'light' ? said : dark.matches ? 'dark' : 'light';
};

export const look = $state({ theme: wanted() });

function apply(): void {
  look.theme = wanted();
  document.documentElement.dataset.theme = look.theme;
}

dark.addEventListener('change', apply);
apply();

export function theme(): void {
  localStorage.setItem(NAME, look.theme === 'dark' ? 'light' : 'dark');
  apply();
}
