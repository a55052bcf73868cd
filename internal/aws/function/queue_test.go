package function_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestRevalidation(t *testing.T) {
	s, p := newStand(t), newProject()
	app := platformtest.NewApp("one").With("revalidation-function/index.mjs", `import { writeFileSync } from "node:fs";
		export const handler = async (event) => {
			writeFileSync(process.env.SEEN, event.Records[0].body);
			return { batchItemFailures: [] };
		};`)
	a := artifactOf(t, p, app)
	seen := filepath.Join(t.TempDir(), "seen")
	vars := env(a)
	vars[function.Revalidation] = map[string]string{"SEEN": seen}
	versions, err := s.Publish(t.Context(), a, wanted(vars), t.Logf)
	must(t, err)
	if versions[function.Revalidation].Version != "1" {
		t.Fatalf("the versions are %v", versions)
	}
	d := a.Deployment
	d.Functions = versions
	s.route(t, p, d, 1)
	s.wantMapped(t, p)
	hosts, err := s.Hosts(t.Context(), p, "live")
	must(t, err)
	if _, open := hosts[function.Revalidation]; open || len(hosts) != 1 {
		t.Errorf("the hosts are %v", hosts)
	}

	url, err := s.Queue(t.Context(), p)
	must(t, err)
	const body = `{"host":"shop.example","url":"/"}`
	_, err = s.SQS.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: sdk.String(body), MessageGroupId: sdk.String("revalidate-0"), MessageDeduplicationId: sdk.String("one"),
	})
	must(t, err)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if got, err := os.ReadFile(seen); err == nil && len(got) > 0 {
			if string(got) != body {
				t.Errorf("the function got %s", got)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no message reaches the revalidation function")
		}
	}
}

func TestQueue_IsCreatedOnce(t *testing.T) {
	s, p := newStand(t), newProject()
	// The process looks for the queue before another process creates it, and tries to create it
	// after.
	s.cloud.Wire.Break(awstest.Fault{Operation: "SQS.CreateQueue", Nth: 1, After: true, Status: 400, Code: "QueueNameExists"})
	url, err := s.Queue(t.Context(), p)
	must(t, err)
	again, err := s.open().Queue(t.Context(), p)
	must(t, err)
	if again != url {
		t.Errorf("it is %s and %s", url, again)
	}
	out, err := s.SQS.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	must(t, err)
	for name, want := range map[string]string{"FifoQueue": "true", "VisibilityTimeout": "180", "MessageRetentionPeriod": "600"} {
		if out.Attributes[name] != want {
			t.Errorf("its %s is %q, want %s", name, out.Attributes[name], want)
		}
	}
}
