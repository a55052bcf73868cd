package awswire

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

// sendMessageInput is SQS SendMessage as OpenNext's queue/sqs and queue/sqs-lite send it.
type sendMessageInput struct {
	QueueURL        string `json:"QueueUrl"`
	Body            string `json:"MessageBody"`
	GroupID         string `json:"MessageGroupId"`
	DeduplicationID string `json:"MessageDeduplicationId"`
}

type sendMessageOutput struct {
	MD5OfMessageBody string // hex; the client compares it with its own
	MessageID        string `json:"MessageId"`
	SequenceNumber   string
}

// revalidation holds the fields that are read from a message's body, from OpenNext's
// core/routing/util revalidateIfRequired.
type revalidation struct {
	Host string `json:"host"`
	URL  string `json:"url"`
}

var sequence atomic.Uint64

func (h *handler) sendMessage(r *http.Request, ns string, body []byte) (any, error) {
	var in sendMessageInput
	if err := decodeBody(body, &in); err != nil {
		return nil, err
	}
	m, err := in.isrMessage()
	if err != nil {
		return nil, err
	}
	if err := h.Queue.Send(ns, m); err != nil {
		return nil, queueError(err)
	}
	sum := md5.Sum([]byte(in.Body))
	return sendMessageOutput{
		MD5OfMessageBody: hex.EncodeToString(sum[:]),
		MessageID:        rand.Text(),
		SequenceNumber:   fmt.Sprintf("%020d", sequence.Add(1)),
	}, nil
}

func (in sendMessageInput) isrMessage() (isr.Message, error) {
	if in.GroupID == "" || in.DeduplicationID == "" {
		return isr.Message{}, &apiError{http.StatusBadRequest, "com.amazonaws.sqs#MissingParameter",
			"The revalidation queue is FIFO: MessageGroupId and MessageDeduplicationId are needed."}
	}
	var page revalidation
	if err := json.Unmarshal([]byte(in.Body), &page); err != nil || page.Host == "" || page.URL == "" {
		return isr.Message{}, &apiError{http.StatusBadRequest, "com.amazonaws.sqs#InvalidMessageContents",
			`The revalidation queue takes {"host", "url", "eTag", "lastModified"}, with a host and a url.`}
	}
	return isr.Message{Host: page.Host, URL: page.URL, GroupID: in.GroupID, DedupID: in.DeduplicationID}, nil
}
