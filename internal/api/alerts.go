package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Alerts reports troubles to people.
type Alerts interface {
	// Add checks and stores a channel, and returns it with the generated secret.
	Add(ctx context.Context, c anchor.AlertChannel, t anchor.AlertTarget) (anchor.AlertChannel, anchor.AlertTarget, error)
	List(ctx context.Context) ([]anchor.AlertChannel, error)
	// Remove and Test return anchor.ErrNotFound when there is no such channel.
	Remove(ctx context.Context, id string) error
	Test(ctx context.Context, id string) error
}

func (s *server) alertRoutes() {
	const all, one = "/alerts", "/alerts/{channelId}"
	handleRoute(s, newOperation("list-alert-channels", http.MethodGet, all, anchor.ScopeAdmin, "List where alerts go", 501), s.listAlertChannels)
	add := newOperation("add-alert-channel", http.MethodPost, all, anchor.ScopeAdmin, "Send alerts to a webhook, to Slack or by e-mail", 404, 409, 501)
	add.Description += " The response has the secret that signs webhooks; no other response has it."
	add.DefaultStatus = http.StatusCreated
	handleRoute(s, add, s.addAlertChannel)
	handleRoute(s, newOperation("remove-alert-channel", http.MethodDelete, one, anchor.ScopeAdmin, "Send alerts there no more", 404, 501), s.removeAlertChannel)
	handleRoute(s, newOperation("test-alert-channel", http.MethodPost, one+"/test", anchor.ScopeAdmin, "Send a test message now", 404, 501), s.testAlertChannel)
}

func (s *server) checkAlerts() error {
	if s.Alerts == nil {
		return newProblem(http.StatusNotImplemented, "no_alerts", "on AWS, Anchor sends no alerts", "Create CloudWatch alarms for the functions and the distribution.")
	}
	return nil
}

func (s *server) listAlertChannels(ctx context.Context, _ *none) (*body[wire.Items[anchor.AlertChannel]], error) {
	if err := s.checkAlerts(); err != nil {
		return nil, err
	}
	channels, err := s.Alerts.List(ctx)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.Items[anchor.AlertChannel]{Items: channels}), nil
}

func (s *server) addAlertChannel(ctx context.Context, in *struct{ Body wire.AddAlertChannel }) (*body[wire.AddedAlertChannel], error) {
	if err := s.checkAlerts(); err != nil {
		return nil, err
	}
	c := anchor.AlertChannel{Kind: in.Body.Kind, Events: in.Body.Events}
	if in.Body.Project != "" {
		p, err := s.Projects.Get(ctx, in.Body.Project)
		if err != nil {
			return nil, err
		}
		c.ProjectID = p.ID
		noteProject(ctx, p)
	}
	c, t, err := s.Alerts.Add(ctx, c, in.Body.AlertTarget)
	if err != nil {
		return nil, err
	}
	noteTarget(ctx, c.ID)
	noteChange(ctx, nil, c)
	return answerWith(wire.AddedAlertChannel{AlertChannel: c, Secret: t.Secret}), nil
}

// inAlertChannel is the path of one channel.
type inAlertChannel struct {
	ChannelID string `path:"channelId" maxLength:"64"`
}

func (s *server) removeAlertChannel(ctx context.Context, in *inAlertChannel) (*none, error) {
	if err := s.checkAlerts(); err != nil {
		return nil, err
	}
	return nil, s.Alerts.Remove(ctx, in.ChannelID)
}

func (s *server) testAlertChannel(ctx context.Context, in *inAlertChannel) (*none, error) {
	if err := s.checkAlerts(); err != nil {
		return nil, err
	}
	return nil, s.Alerts.Test(ctx, in.ChannelID)
}
