import { BuildLabel } from './build-label';

const WORKING_PARTS = [
  ['/dynamic', 'Rendered per request'],
  ['/stream', 'Streamed in parts'],
  ['/slow?ms=1500', 'A slow page'],
  ['/tags', 'Tagged caches'],
  ['/draft', 'Draft mode'],
  ['/ab', 'A/B by cookie'],
  ['/gated', 'Behind a gate'],
  ['/de/hello', 'In German'],
  ['/og', 'Drawn image'],
  ['/boom', 'An error'],
];

// Plain anchors: these pages are for looking at responses, not for prefetching.
export function SiteFooter() {
  return (
    <footer className="site-footer">
      <div>
        <p className="footer-name">Leeward</p>
        <p className="muted">An example shop. Nothing here is for sale.</p>
        <BuildLabel />
      </div>
      <nav aria-label="Working parts">
        <p className="footer-name">Below the waterline</p>
        <ul>
          {WORKING_PARTS.map(([href, label]) => (
            <li key={href}>
              <a href={href}>{label}</a>
            </li>
          ))}
        </ul>
      </nav>
    </footer>
  );
}
