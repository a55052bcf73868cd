import { Page } from '../components/page';

export default function ErrorPage({ statusCode }) {
  return (
    <Page title="We ran aground">
      <p data-status={statusCode}>This page failed with {statusCode}.</p>
    </Page>
  );
}

ErrorPage.getInitialProps = ({ res, err }) => ({ statusCode: res?.statusCode ?? err?.statusCode ?? 500 });
