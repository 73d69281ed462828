package objectstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/minio/minio-go/v7"
)

// The kinds of faults that callers decide by. Every other error is of the network or of the server, and may
// be gone with the next attempt.
var (
	ErrNotFound  = errors.New("there is no such object")
	ErrRefused   = errors.New("the object storage refused") // keys, rights, quota, or no such bucket: asking again does not help
	ErrThrottled = errors.New("the object storage is asked too often")
	ErrTimeout   = errors.New("the object storage did not answer in time")

	errExists = errors.New("the object is there already")
)

// fault names what was attempted on what, and the kind of the fault.
func (b *Bucket) fault(doing, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q in bucket %s: %w", doing, b.prefix+key, b.name, withKind(err))
}

// withKind wraps an error with its kind, if it has one.
func withKind(err error) error {
	if kind := kindOf(err); kind != nil && !errors.Is(err, kind) {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

// kindOf tells the kind by the codes of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), and by the status where a server
// sends none.
func kindOf(err error) error {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return ErrTimeout
	}
	var response minio.ErrorResponse
	if !errors.As(err, &response) {
		return nil
	}
	switch {
	case slices.Contains(throttleCodes(), response.Code) || response.StatusCode == http.StatusTooManyRequests:
		return ErrThrottled
	case response.Code == "NoSuchKey":
		return ErrNotFound
	case slices.Contains(refusalCodes(), response.Code) || response.StatusCode == http.StatusForbidden ||
		response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusInsufficientStorage:
		return ErrRefused
	case response.Code == "RequestTimeout":
		return ErrTimeout
	case response.StatusCode == http.StatusPreconditionFailed || response.Code == "PreconditionFailed":
		return errExists
	case response.StatusCode == http.StatusNotFound:
		return ErrNotFound
	}
	return nil
}

func throttleCodes() []string {
	return []string{"SlowDown", "SlowDownRead", "SlowDownWrite", "RequestLimitExceeded", "TooManyRequests", "Throttling", "ThrottlingException"}
}

func refusalCodes() []string {
	return []string{"AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket",
		"QuotaExceeded", "AccountProblem", "InvalidBucketName", "MethodNotAllowed", "EntityTooLarge"}
}
