export function getServerSideProps() {
  throw new Error('boom: thrown on request');
}

export default function Boom() {
  return null;
}
