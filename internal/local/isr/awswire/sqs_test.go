package awswire_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

func TestSQS_RevalidationReachesQueue(t *testing.T) {
	s := newServer(t)
	in := &sqs.SendMessageInput{
		QueueUrl:               aws.String(awswire.ServerEnv(s.endpoint, s.keys.Issue("one"))["REVALIDATION_QUEUE_URL"]),
		MessageBody:            aws.String(`{"host":"shop.localhost","url":"/isr?a=1","eTag":"\"x\"","lastModified":1700000000000}`),
		MessageGroupId:         aws.String("revalidate-3"),
		MessageDeduplicationId: aws.String("d41d8cd98f00b204e9800998ecf8427e"),
	}
	out, err := s.sqs("one").SendMessage(t.Context(), in) // the client compares the MD5
	if err != nil || *out.MessageId == "" || len(*out.SequenceNumber) != 20 {
		t.Fatalf("%+v, %v", out, err)
	}
	want := sent{"one", isr.Message{Host: "shop.localhost", URL: "/isr?a=1", GroupID: "revalidate-3", DedupID: "d41d8cd98f00b204e9800998ecf8427e"}}
	if diff := cmp.Diff(want, <-s.work, cmp.AllowUnexported(sent{})); diff != "" {
		t.Error(diff)
	}
	again, err := s.sqs("one").SendMessage(t.Context(), in)
	if err != nil || *again.SequenceNumber <= *out.SequenceNumber || len(s.work) != 0 {
		t.Errorf("the duplicate: %+v, %v, %d more", again, err, len(s.work))
	}
}

func TestSQS_Refuses(t *testing.T) {
	s := newServer(t)
	good := sqs.SendMessageInput{QueueUrl: aws.String(s.endpoint + "/0/q.fifo"), MessageBody: aws.String(`{"host":"h","url":"/"}`),
		MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("d")}
	noGroup, noURL, notJSON := good, good, good
	noGroup.MessageGroupId = nil
	noURL.MessageBody = aws.String(`{"host":"h"}`)
	notJSON.MessageBody = aws.String("hello")
	for name, c := range map[string]struct {
		client *sqs.Client
		in     sqs.SendMessageInput
		code   string
	}{
		"no group":    {s.sqs("one"), noGroup, "MissingParameter"},
		"no url":      {s.sqs("one"), noURL, "InvalidMessageContents"},
		"not JSON":    {s.sqs("one"), notJSON, "InvalidMessageContents"},
		"unknown key": {sqs.NewFromConfig(configWith(s.endpoint, "AKID", "s")), good, "UnrecognizedClientException"},
	} {
		_, err := c.client.SendMessage(t.Context(), &c.in)
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
