export const revalidate = 2;

export default function Page() {
  return <p data-rendered-at={new Date().toISOString()}>A page of the older layout</p>;
}
