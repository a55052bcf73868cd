import { Page } from '../components/page';

export function getServerSideProps({ locale, query, req, res }) {
  res.setHeader('Set-Cookie', ['seen=tide; Path=/docs', `locale=${locale}; Path=/docs`]);
  const height = (3 + 2 * Math.sin(Date.now() / 7.1e6)).toFixed(2);
  return { props: { height, query, host: req.headers.host, renderedAt: new Date().toISOString() } };
}

export default function Tide({ height, query, host, renderedAt }) {
  return (
    <Page title="The tide now" renderedAt={renderedAt}>
      <p data-query={JSON.stringify(query)} data-host={host}>
        {height} metres above chart datum.
      </p>
    </Page>
  );
}
