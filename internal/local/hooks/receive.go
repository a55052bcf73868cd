package hooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/forge"
)

// DeployHook is the last part of the URL of the plain deploy hook.
const DeployHook = "deploy"

// Receive checks a call and stores what it says, durable on return. Nothing has changed when it returns
// an error. The answer says what becomes of the delivery.
func (s *Service) Receive(ctx context.Context, p anchor.Project, call anchor.HookCall) (anchor.HookAnswer, error) {
	l, err := s.open(ctx, p.ID)
	if err != nil {
		return anchor.HookAnswer{}, err
	}
	events, id, err := l.read(call)
	if err != nil {
		return anchor.HookAnswer{}, err
	}
	if id == "" { // nothing names it, so the same content is the same delivery
		sum := sha256.Sum256(call.Body)
		id = hex.EncodeToString(sum[:16])
	}
	var names []string
	useful := false
	for _, e := range events {
		if err := l.checkRepository(e); err != nil {
			return anchor.HookAnswer{}, err
		}
		useful = useful || e.Kind != forge.Other
		names = append(names, strings.TrimSpace(e.Name+" "+e.Branch))
	}
	answer := anchor.HookAnswer{Delivery: id, Status: "ignored", Message: "Anchor does nothing about " + strings.Join(names, ", ")}
	if !useful {
		return answer, nil
	}
	content, err := json.Marshal(events)
	if err != nil {
		return anchor.HookAnswer{}, err
	}
	d := anchor.Delivery{ProjectID: p.ID, ID: id, Summary: strings.Join(names, ", "), Events: content, ReceivedAt: s.Now().UnixMilli()}
	return s.accept(ctx, d)
}

// accept stores a delivery and starts to process it.
func (s *Service) accept(ctx context.Context, d anchor.Delivery) (anchor.HookAnswer, error) {
	answer := anchor.HookAnswer{Delivery: d.ID, Status: "accepted", Message: d.Summary + " is processed; to see the outcome, run anchor connect show"}
	added, err := s.Records.AddDelivery(ctx, d)
	if err != nil {
		return answer, err
	}
	if !added {
		answer.Status, answer.Message = "repeated", "this delivery was accepted before; nothing has changed"
		return answer, nil
	}
	newest, err := s.Records.Deliveries(ctx, d.ProjectID, 100)
	if err != nil {
		return answer, err
	}
	for _, stored := range newest {
		if stored.ID == d.ID {
			s.enqueue(stored)
		}
	}
	return answer, nil
}

// read checks who sends a call and returns what it says and its id.
func (l *link) read(call anchor.HookCall) ([]forge.Event, string, error) {
	if call.Host == DeployHook {
		if err := forge.CheckHookKey(l.secrets.Hook, call.Key); err != nil {
			return nil, "", err
		}
		branch := call.Branch
		if branch == "" {
			branch = l.project.ProductionBranch
		}
		id := call.Header.Get("Idempotency-Key")
		if id == "" {
			id = anchor.NewID()
		}
		return []forge.Event{{Kind: forge.Push, Name: "deploy hook", Branch: branch}}, id, nil
	}
	host := anchor.Host(call.Host)
	if host != l.connection.Host {
		return nil, "", anchor.NotFound("other_host", "project %s is connected to %s, not to %s", l.project.Slug, l.connection.Host, call.Host).
			Hintf("Use the URL that anchor connect show prints.")
	}
	payload, err := forge.Authenticate(host, call.Header, call.Body, l.secrets.Hook, l.Now())
	if err != nil {
		return nil, "", err
	}
	events, err := forge.Parse(host, call.Header, payload)
	id := forge.DeliveryID(host, call.Header)
	if len(id) > maxID {
		return nil, "", anchor.Invalid("bad_delivery", "the id of the delivery has more than %d characters", maxID).Hintf("Let the host send it again.")
	}
	return events, id, err
}

// maxID is the length of a delivery's id.
const maxID = 200

// checkRepository refuses the event of a repository that the project is not connected to: a secret may
// be used for several webhooks.
func (l *link) checkRepository(e forge.Event) error {
	if e.Repository == "" || strings.EqualFold(e.Repository, l.connection.Name) {
		return nil
	}
	return anchor.Conflict("other_repository", "the delivery is about %s, but project %s is connected to %s", e.Repository, l.project.Slug, l.connection.Name).
		Hintf("Remove the webhook from the other repository. To connect the project to that one, run anchor connect %s with its URL.", l.connection.Host)
}
