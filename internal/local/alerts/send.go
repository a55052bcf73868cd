package alerts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/outbound"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// message is what a channel gets at once.
type message struct {
	Alerts []anchor.Alert `json:"alerts"`
	Left   int            `json:"leftOut"` // alerts before these that were too many

	id string
	at time.Time
}

// send makes one attempt. An error after which another one may succeed is marked for retry.Do.
func (c channel) send(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(ctx, outbound.Timeout)
	defer cancel()
	switch c.Kind {
	case "slack":
		return post(ctx, c.target.URL, map[string]string{"text": escapeSlack(m.text())}, nil)
	case "email":
		return c.mail(ctx, m)
	default:
		return post(ctx, c.target.URL, m, func(h http.Header, body []byte) error { return sign(h, c.target.Secret, m, body) })
	}
}

// post sends v as JSON; sign, when not nil, adds to the header.
func post(ctx context.Context, to string, v any, sign func(http.Header, []byte) error) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if sign != nil {
		if err := sign(header, body); err != nil {
			return err
		}
	}
	_, err = outbound.Post(ctx, to, header, body)
	return err
}

// sign signs a webhook as https://www.standardwebhooks.com specifies.
func sign(h http.Header, secret string, m message, body []byte) error {
	key, err := signingKey(secret)
	if err != nil {
		return err
	}
	at := strconv.FormatInt(m.at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", m.id, at, body)
	h.Set("Webhook-Id", m.id)
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

func signingKey(secret string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
}

// escapeSlack keeps a text from being markup: https://docs.slack.dev/messaging/formatting-message-text
func escapeSlack(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func (c channel) mail(ctx context.Context, m message) error {
	u, err := url.Parse(c.target.SMTP)
	if err != nil {
		return err
	}
	out := mail.NewMsg()
	if err := errors.Join(out.From(c.target.From), out.To(c.target.To)); err != nil {
		return err
	}
	out.Subject(m.subject())
	out.SetDate()
	out.SetMessageIDWithValue(m.id + "@anchor")
	out.SetBodyString(mail.TypeTextPlain, m.text())
	client, err := mail.NewClient(u.Hostname(), mailOptions(u)...)
	if err != nil {
		return err
	}
	return retry.Again(client.DialAndSendWithContext(ctx, out))
}

// mailOptions requires TLS, except for a server on this machine.
func mailOptions(u *url.URL) []mail.Option {
	options := []mail.Option{mail.WithTimeout(outbound.Timeout)}
	switch {
	case u.Scheme == "smtps":
		options = append(options, mail.WithSSLPort(false))
	case u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1":
		options = append(options, mail.WithTLSPortPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPortPolicy(mail.TLSMandatory))
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		options = append(options, mail.WithPort(port))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	return options
}

func (m message) subject() string {
	first := headline(m.Alerts[0])
	if more := len(m.Alerts) - 1 + m.Left; more > 0 {
		first += fmt.Sprintf(" (and %d more)", more)
	}
	return "[Anchor] " + first
}

func (m message) text() string {
	var b strings.Builder
	for _, a := range m.Alerts {
		b.WriteString(headline(a) + "\n")
		if a.Text != "" {
			b.WriteString("  " + strings.ReplaceAll(strings.TrimSpace(a.Text), "\n", "\n  ") + "\n")
		}
	}
	if m.Left > 0 {
		fmt.Fprintf(&b, "%d earlier alerts were left out, because there were too many within an hour.\n", m.Left)
	}
	return b.String()
}

func headline(a anchor.Alert) string {
	var b strings.Builder
	if a.Project != "" {
		b.WriteString(a.Project + ": ")
	}
	if a.Resolved {
		b.WriteString("resolved: ")
	}
	return strings.Join(strings.Fields(b.String()+a.Title), " ")
}
