package server

import (
	"context"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/access/oidc"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Check refuses a provider that cannot sign anybody in.
func (o OIDC) Check() error {
	if o.Issuer == "" {
		if o.ClientID != "" || o.SecretFile != "" || o.Title != "" || len(o.Domains) > 0 {
			return anchor.Invalid("bad_oidc", "the identity provider has no issuer").Hintf("Add --oidc-issuer URL.")
		}
		return nil
	}
	if o.ClientID == "" {
		return anchor.Invalid("bad_oidc", "the identity provider %s has no client", o.Issuer).
			Hintf("Register Anchor there, and add --oidc-client-id ID.")
	}
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return anchor.Invalid("bad_oidc", "%q cannot be an issuer", o.Issuer).Hintf("Use an https URL without a query, such as https://accounts.google.com.")
	}
	for domain, role := range o.Domains {
		if domain == "" || domain != strings.ToLower(domain) || strings.ContainsAny(domain, "@ /") || !role.Known() || role == anchor.RoleOwner {
			return anchor.Invalid("bad_oidc", "people with addresses at %q cannot become %q", domain, role).
				Hintf("Use --oidc-domain DOMAIN=ROLE with a domain in lower case, and the role viewer, developer or admin.")
		}
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// openProvider returns the identity provider, nil without one.
func (a *app) openProvider() (access.IdentityProvider, error) {
	o := a.OIDC
	if err := o.Check(); err != nil || o.Issuer == "" {
		return nil, err
	}
	secret := ""
	if o.SecretFile != "" {
		text, err := os.ReadFile(o.SecretFile)
		if err != nil {
			return nil, anchor.Invalid("bad_oidc", "the secret of the client cannot be read").Because(err).
				Hintf("Make %s a file that the server can read.", o.SecretFile)
		}
		if secret = strings.TrimSpace(string(text)); secret == "" {
			return nil, anchor.Invalid("bad_oidc", "%s is empty", o.SecretFile).Hintf("Store the secret of the client in it.")
		}
	}
	a.provider = oidc.New(oidc.Config{Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: secret, Title: o.Title})
	return a.provider, nil
}

// checkProvider is the doctor's check of the identity provider.
func (a *app) checkProvider(ctx context.Context) wire.Check {
	c := wire.Check{Name: "Identity provider"}
	if err := a.provider.Check(ctx); err != nil {
		c.Detail, c.Hint = err.Error(), anchor.HintOf(err)
		return c
	}
	c.OK, c.Detail = true, a.provider.Name()+" answers"
	return c
}
