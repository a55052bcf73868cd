export const revalidate = 3600;

export default function Islands() {
  const renderedAt = new Date().toISOString();
  return (
    <main>
      <h1>Islands</h1>
      <p data-rendered-at={renderedAt}>Rendered {renderedAt}</p>
    </main>
  );
}
