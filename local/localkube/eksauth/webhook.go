// Package eksauth authenticates bearer tokens as the control plane of an EKS
// cluster does. AWS's own verifier has STS confirm the token, then the access
// entries of the cluster say which Kubernetes user the AWS identity is.
package eksauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

// maxReviewBytes leaves room for the largest token that the verifier accepts.
const maxReviewBytes = 64 << 10

// rejection says why a token is not accepted. Any other error means that the
// question could not be answered, which must never look like an answer.
type rejection struct{ reason string }

func (r rejection) Error() string { return r.reason }

// Webhook answers TokenReview requests of the Kubernetes API server.
type Webhook struct {
	verifier token.Verifier
	entries  accessEntries
}

// NewWebhook makes the webhook of one cluster. The verifier calls STS through
// http.DefaultTransport: install a transport from NewSTSTransport there first.
func NewWebhook(cluster, region string, awsEndpoint *url.URL) *Webhook {
	return &Webhook{
		verifier: token.NewVerifier(cluster, "aws", region),
		entries:  newAccessEntries(cluster, region, awsEndpoint),
	}
}

// ServeHTTP answers 200 with the user or with the reason of a rejection, and
// 502 when STS or EKS cannot be asked. The reply never repeats the token.
func (w *Webhook) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	var review authenticationv1.TokenReview
	if err := json.NewDecoder(http.MaxBytesReader(response, request.Body, maxReviewBytes)).Decode(&review); err != nil {
		http.Error(response, "the body is no TokenReview", http.StatusBadRequest)
		return
	}
	user, err := w.authenticate(request.Context(), review.Spec.Token)
	review.Spec = authenticationv1.TokenReviewSpec{}
	var rejected rejection
	switch {
	case err == nil:
		review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: *user}
	case errors.As(err, &rejected):
		klog.InfoS("EKS token rejected", "reason", rejected.reason)
		review.Status = authenticationv1.TokenReviewStatus{Error: rejected.reason}
	default:
		klog.ErrorS(err, "EKS token not verified")
		http.Error(response, err.Error(), http.StatusBadGateway)
		return
	}
	response.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(response).Encode(review); err != nil {
		klog.ErrorS(err, "TokenReview not answered")
	}
}

// authenticate tells which Kubernetes user holds the token.
func (w *Webhook) authenticate(ctx context.Context, bearer string) (*authenticationv1.UserInfo, error) {
	identity, err := w.verifier.Verify(bearer)
	if err != nil {
		return nil, classify(err)
	}
	entry, err := w.entries.describe(ctx, identity.CanonicalARN)
	if err != nil {
		return nil, err
	}
	return &authenticationv1.UserInfo{
		Username: username(entry, identity),
		UID:      fmt.Sprintf("aws-iam-authenticator:%s:%s", identity.AccountID, identity.UserID),
		Groups:   entry.KubernetesGroups,
		Extra: map[string]authenticationv1.ExtraValue{
			"accessKeyId":  {identity.AccessKeyID},
			"arn":          {identity.ARN},
			"canonicalArn": {identity.CanonicalARN},
			"principalId":  {identity.UserID},
			"sessionName":  {identity.SessionName},
		},
	}, nil
}

// username fills in the placeholders that EKS allows in an access entry. An
// entry without a username stands for the session, which EKS names by its ARN.
func username(entry *accessEntry, identity *token.Identity) string {
	if entry.Username == "" {
		return identity.ARN
	}
	return strings.NewReplacer(
		"{{AccountID}}", identity.AccountID,
		"{{AccessKeyID}}", identity.AccessKeyID,
		"{{SessionNameRaw}}", identity.SessionName,
		"{{SessionName}}", strings.ReplaceAll(identity.SessionName, "@", "-"),
	).Replace(entry.Username)
}
