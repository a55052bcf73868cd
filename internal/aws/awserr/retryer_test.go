package awserr_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

func TestNewRetryer_RepeatsBrokenAnswers(t *testing.T) {
	r := awserr.NewRetryer()
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&smithy.DeserializationError{Err: fmt.Errorf("read: %w", io.ErrUnexpectedEOF)}, true},
		{&smithy.DeserializationError{Err: errors.New("not JSON")}, false},
		{&smithy.GenericAPIError{Code: "ThrottlingException"}, true},
		{&smithy.GenericAPIError{Code: "ValidationException"}, false},
	} {
		if got := r.IsErrorRetryable(test.err); got != test.want {
			t.Errorf("%v: asked again %v, want %v", test.err, got, test.want)
		}
	}
}
