package api

import (
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// shownDomain returns what the user of a hostname needs.
func shownDomain(v domains.View) wire.Domain {
	d := wire.Domain{
		Hostname: v.Hostname, Unicode: v.Unicode, IsActive: v.IsActive,
		Target:  toTarget(v),
		Records: append([]anchor.DNSRecord{}, v.Records...),
		Note:    v.Note, Warnings: v.Warnings,
	}
	d.CloudFrontCNAME = cloudFront(d.Target)
	d.DNSInstructions = toInstructions(v)
	if v.Diagnosis != nil {
		checks := append([]domains.Finding{}, v.Diagnosis.Checks...)
		d.Diagnosis = &domains.Diagnosis{OK: v.Diagnosis.OK, Checks: checks}
	}
	return d
}

// toInstructions returns the record to set first: the proof of the name before all else, then the
// record that makes it lead here.
func toInstructions(v domains.View) *wire.Instruction {
	switch {
	case v.Status == anchor.HostRemoving:
		return nil
	case len(v.Records) > 0:
		i := toInstruction(v.Records[0])
		i.Message = "Set this " + i.RecordType + " record to prove that " + v.Name + " is yours."
		i.Note = noteOf(v) + " Keep the record afterwards."
		return &i
	case len(v.Target) > 0:
		i := toInstruction(v.Target[0])
		i.Message, i.Note = leadsHere(v), noteOf(v)
		return &i
	}
	return nil
}

func leadsHere(v domains.View) string {
	return "Set this " + v.Target[0].Type + " record, so that " + v.Name + " points to Anchor."
}

func noteOf(v domains.View) string {
	if v.IsActive {
		return "The domain is served over HTTPS; nothing is left to do."
	}
	return "A new record is visible within minutes, a changed one after the TTL of the old one. Anchor keeps checking."
}

func toTarget(v domains.View) *wire.Target {
	if len(v.Target) == 0 || v.Status == anchor.HostRemoving {
		return nil
	}
	t := &wire.Target{Instruction: toInstruction(v.Target[0]), Records: slices.Clone(v.Target)}
	t.Message = leadsHere(v)
	if len(v.Target) > 1 {
		t.Message = "Set one of these records, so that " + v.Name + " points to Anchor; set several only if they are A and AAAA records."
	}
	return t
}

// cloudFront returns the target under its name on aws, where it is the domain of a distribution
// (CloudFront API, Distribution.DomainName).
func cloudFront(t *wire.Target) *wire.Instruction {
	if t == nil || t.RecordType != "CNAME" || !strings.HasSuffix(t.RecordValue, ".cloudfront.net") {
		return nil
	}
	i := t.Instruction
	return &i
}

func toInstruction(r anchor.DNSRecord) wire.Instruction {
	return wire.Instruction{RecordType: r.Type, RecordName: r.Name, RecordValue: r.Value}
}
