// A short page with one thing to say.
export function Notice({ title, children }) {
  return (
    <article className="notice">
      <h1>{title}</h1>
      {children}
    </article>
  );
}
