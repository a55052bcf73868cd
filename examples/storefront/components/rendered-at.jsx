// When, and in which build, this piece of HTML was made.
import { VERSION } from '../lib/version';

export function RenderedAt() {
  const now = new Date().toISOString();
  return (
    <p className="rendered-at" data-rendered-at={now} data-rendered-by={VERSION}>
      Rendered <time dateTime={now}>{now.replace('T', ' ').slice(0, 23)}</time> UTC
    </p>
  );
}
