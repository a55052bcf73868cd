package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// rejection is a validation that the CA tried and that failed: the name is at fault, not the CA.
type rejection struct {
	challenge string
	err       error
}

func (r *rejection) Error() string { return r.challenge + ": " + r.err.Error() }
func (r *rejection) Unwrap() error { return r.err }

// errNoChallenge reports that the CA offers no challenge that can be answered here.
var errNoChallenge = errors.New("the CA offers no challenge that this server can answer")

// issueChain returns the PEM chain for csr. It continues the order in j, or creates one and records it
// in j.
//
// A rejected challenge invalidates its order (RFC 8555, section 7.1.6), so the next challenge type
// needs a new one.
func (a *authority) issueChain(ctx context.Context, j *journal, csr *x509.CertificateRequest, replaces *x509.Certificate) ([]byte, error) {
	if !a.hasUntried(j) {
		return nil, errNoChallenge // without a request to the CA
	}
	var failed error // of all challenge types, the preferred one first
	for {
		chain, err := a.attemptOrder(ctx, j, csr, replaces)
		if isProblem(err, acmeproto.ProblemTypeAccountDoesNotExist) {
			// The CA was set up again from scratch (staging CAs are). The key stays the same, so
			// this happens once.
			if err := errors.Join(a.forgetAccount(), j.forgetOrder()); err != nil {
				return nil, err
			}
			chain, err = a.attemptOrder(ctx, j, csr, replaces)
		}
		var no *rejection
		if !errors.As(err, &no) {
			return chain, err
		}
		failed = errors.Join(failed, err)
		j.Failed = append(j.Failed, no.challenge)
		if err := j.forgetOrder(); err != nil {
			return nil, err
		}
		if !a.hasUntried(j) {
			j.Failed = nil
			return nil, errors.Join(failed, j.saveFile())
		}
	}
}

func (a *authority) hasUntried(j *journal) bool {
	return slices.ContainsFunc(a.solvers, func(s string) bool {
		return !slices.Contains(j.Failed, s) && (s == acmeproto.ChallengeTypeDNS01) == isWildcard(j.Name)
	})
}

// attemptOrder completes one order.
func (a *authority) attemptOrder(ctx context.Context, j *journal, csr *x509.CertificateRequest, replaces *x509.Certificate) ([]byte, error) {
	account, err := a.registerAccount(ctx)
	if err != nil {
		return nil, err
	}
	order, err := a.openOrder(ctx, account, j, replaces)
	if err != nil {
		return nil, err
	}
	if order.Status == acmeproto.StatusPending {
		if err := a.authorizeOrder(ctx, account, j, order); err != nil {
			return nil, err
		}
	}
	if order.Status != acmeproto.StatusValid {
		// When the order is already processing the CA refuses, and acmez polls the order.
		if order, err = a.client.FinalizeOrder(ctx, account, order, csr.Raw); err != nil {
			if order.Status == acmeproto.StatusInvalid {
				err = errors.Join(err, j.forgetOrder())
			}
			return nil, fmt.Errorf("finalize the order: %w", err)
		}
	}
	chains, err := a.client.GetCertificateChain(ctx, account, order.Certificate)
	if err != nil {
		return nil, fmt.Errorf("download the certificate: %w", err)
	}
	if len(chains) == 0 {
		return nil, fmt.Errorf("download the certificate: %s sent none", a.client.Directory)
	}
	if err := checkIssued(chains[0].ChainPEM, j.Name, csr); err != nil {
		if j.Failures > 0 { // it was not an accident on the way
			err = errors.Join(err, j.forgetOrder())
		}
		return nil, err
	}
	return chains[0].ChainPEM, nil
}

// errAccount reports that the CA knows the account but lets it order nothing, because it was
// deactivated (RFC 8555, section 7.3.6).
var errAccount = errors.New("the ACME account is not allowed to order certificates")

// errUnfit reports that the CA's certificate cannot be served for the name.
var errUnfit = errors.New("the CA returned a certificate that does not match the order")

// checkIssued checks a certificate before it replaces one that works.
func checkIssued(chain []byte, name string, csr *x509.CertificateRequest) error {
	leaf, err := leafOf(chain)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	if key, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !key.Equal(csr.PublicKey) {
		return fmt.Errorf("%w: it is for another key", errUnfit)
	}
	if !coversName(leaf, name) {
		return fmt.Errorf("%w: it is for %v", errUnfit, leaf.DNSNames)
	}
	return nil
}

// openOrder finds the order in j at the CA, or creates a new one. One case is beyond its reach: a
// process that is killed after the CA has created an order and before its answer arrives. Boulder
// (Let's Encrypt) then returns the pending order again.
func (a *authority) openOrder(ctx context.Context, account acmeproto.Account, j *journal, replaces *x509.Certificate) (acmeproto.Order, error) {
	if j.CA != a.client.Directory {
		j.CA, j.Order = a.client.Directory, ""
	}
	if j.Order != "" {
		order, err := a.client.GetOrder(ctx, account, acmeproto.Order{Location: j.Order})
		order.Location = j.Order
		var problem acmeproto.Problem
		switch {
		case err == nil && order.Status != acmeproto.StatusInvalid:
			return order, nil
		case err != nil && !errors.As(err, &problem):
			return order, fmt.Errorf("look up the order: %w", err)
		}
		// The order is invalid, expired or unknown: a new one is needed.
	}
	return a.createOrder(ctx, account, j, replaces)
}

func (a *authority) createOrder(ctx context.Context, account acmeproto.Account, j *journal, replaces *x509.Certificate) (acmeproto.Order, error) {
	want := acmeproto.Order{Identifiers: []acmeproto.Identifier{{Type: "dns", Value: j.Name}}}
	// After a failure the order omits Replaces, which may have caused it.
	if replaces != nil && j.Failures == 0 && a.renewalInfo(ctx) {
		want.Replaces, _ = acmeproto.ARIUniqueIdentifier(replaces)
	}
	order, err := a.client.NewOrder(ctx, account, want)
	if err != nil && want.Replaces != "" && isRefusal(err) && !isProblem(err, acmeproto.ProblemTypeRateLimited) {
		want.Replaces = "" // replaced already, or by another account: RFC 9773, section 5
		order, err = a.client.NewOrder(ctx, account, want)
	}
	if isProblem(err, acmeproto.ProblemTypeUnauthorized) { // the CA has asked nothing about the name yet
		err = errors.Join(errAccount, err)
	}
	if err != nil {
		return order, fmt.Errorf("order: %w", err)
	}
	j.Order = order.Location
	return order, j.saveFile()
}

// authorizeOrder proves control of the name for each pending authorization.
func (a *authority) authorizeOrder(ctx context.Context, account acmeproto.Account, j *journal, order acmeproto.Order) error {
	for _, at := range order.Authorizations {
		authz, err := a.client.GetAuthorization(ctx, account, at)
		if err != nil {
			return fmt.Errorf("look up what to prove: %w", err)
		}
		if authz.Status == acmeproto.StatusValid {
			continue
		}
		if err := a.proveControl(ctx, account, j, authz); err != nil {
			return err
		}
	}
	return nil
}

func (a *authority) proveControl(ctx context.Context, account acmeproto.Account, j *journal, authz acmeproto.Authorization) error {
	c, ok := a.chooseChallenge(j, authz)
	if !ok {
		if authz.Status == acmeproto.StatusPending {
			return errNoChallenge
		}
		_, err := a.client.PollAuthorization(ctx, account, authz) // over: returns the reason at once
		return &rejection{"authorization", err}
	}
	withdraw, err := a.present(ctx, c)
	if err != nil {
		return fmt.Errorf("answer the %s challenge: %w", c.Type, err)
	}
	defer withdraw()
	if c.Status == acmeproto.StatusPending {
		if _, err := a.client.InitiateChallenge(ctx, account, c); err != nil {
			return fmt.Errorf("start the %s challenge: %w", c.Type, err)
		}
	}
	done, err := a.client.PollAuthorization(ctx, account, authz)
	if err != nil && done.Status != "" && done.Status != acmeproto.StatusPending && done.Status != acmeproto.StatusValid {
		return &rejection{c.Type, err}
	}
	if err != nil {
		return fmt.Errorf("wait for the %s challenge: %w", c.Type, err)
	}
	return nil
}

// chooseChallenge returns the challenge that the CA works on already, if there is one, else the first of
// ours that has not failed.
func (a *authority) chooseChallenge(j *journal, authz acmeproto.Authorization) (acmeproto.Challenge, bool) {
	for _, c := range authz.Challenges {
		if c.Status == acmeproto.StatusProcessing && slices.Contains(a.solvers, c.Type) {
			return c, true
		}
	}
	for _, solver := range a.solvers {
		for _, c := range authz.Challenges {
			if c.Type == solver && c.Status == acmeproto.StatusPending && !slices.Contains(j.Failed, solver) {
				return c, true
			}
		}
	}
	return acmeproto.Challenge{}, false
}

func (a *authority) present(ctx context.Context, c acmeproto.Challenge) (func(), error) {
	if c.Type == acmeproto.ChallengeTypeDNS01 {
		return a.hook.present(ctx, c)
	}
	return a.answers.present(c)
}

func (a *authority) renewalInfo(ctx context.Context) bool {
	dir, err := a.client.GetDirectory(ctx)
	return err == nil && dir.RenewalInfo != ""
}
