package eksauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
)

const (
	roleARN    = "arn:aws:iam::111122223333:role/responder"
	sessionARN = "arn:aws:sts::111122223333:assumed-role/responder/run-1"
)

// fakeAWS answers for STS and EKS with what a test sets, and notes what it was asked.
type fakeAWS struct {
	stsStatus, eksStatus int
	stsBody, eksBody     string
	stsRequest           *http.Request
	eksRequest           *http.Request
}

func newFakeAWS() *fakeAWS {
	return &fakeAWS{
		stsStatus: 200, eksStatus: 200,
		stsBody: fmt.Sprintf(`{"GetCallerIdentityResponse":{"GetCallerIdentityResult":
			{"Account":"111122223333","Arn":%q,"UserId":"AROAEXAMPLE:run-1"}}}`, sessionARN),
		eksBody: fmt.Sprintf(`{"accessEntry":{"principalArn":%q,"kubernetesGroups":["responders"],"type":"STANDARD"}}`, roleARN),
	}
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := f.stsStatus, f.stsBody
	if strings.HasPrefix(r.URL.Path, "/clusters/") {
		f.eksRequest = r
		status, body = f.eksStatus, f.eksBody
	} else {
		f.stsRequest = r
	}
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// review sends the token through the webhook of the cluster "stage".
func review(t *testing.T, aws http.Handler, bearer string) (int, authenticationv1.TokenReviewStatus, string) {
	t.Helper()
	server := httptest.NewServer(aws)
	defer server.Close()
	endpoint, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	original := http.DefaultTransport
	http.DefaultTransport = NewSTSTransport(endpoint, original)
	defer func() { http.DefaultTransport = original }()

	body, err := json.Marshal(authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: bearer}})
	if err != nil {
		t.Fatal(err)
	}
	response := httptest.NewRecorder()
	NewWebhook("stage", "eu-central-1", endpoint).
		ServeHTTP(response, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
	text := response.Body.String()
	var answer authenticationv1.TokenReview
	if response.Code == http.StatusOK {
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	return response.Code, answer.Status, text
}

// presigned is the URL inside a token. Its signature is judged by STS alone.
func presigned(host string) string {
	return "https://" + host + "/?" + url.Values{
		"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"},
		"X-Amz-Algorithm":     {"AWS4-HMAC-SHA256"},
		"X-Amz-Credential":    {"ASIAEXAMPLE/20260101/eu-central-1/sts/aws4_request"},
		"X-Amz-Date":          {time.Now().UTC().Format("20060102T150405Z")},
		"X-Amz-Expires":       {"60"},
		"X-Amz-SignedHeaders": {"host;x-k8s-aws-id"},
		"X-Amz-Signature":     {"5ec2e7"},
	}.Encode()
}

func tokenOf(presignedURL string) string {
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(presignedURL))
}

func TestSessionOfARoleWithAnAccessEntryIsItsUser(t *testing.T) {
	aws := newFakeAWS()
	code, status, _ := review(t, aws, tokenOf(presigned("sts.eu-central-1.amazonaws.com")))
	want := authenticationv1.UserInfo{
		Username: sessionARN, UID: "aws-iam-authenticator:111122223333:AROAEXAMPLE", Groups: []string{"responders"},
		Extra: map[string]authenticationv1.ExtraValue{
			"accessKeyId": {"ASIAEXAMPLE"}, "arn": {sessionARN}, "canonicalArn": {roleARN},
			"principalId": {"AROAEXAMPLE"}, "sessionName": {"run-1"},
		},
	}
	if code != 200 || !status.Authenticated || !reflect.DeepEqual(status.User, want) {
		t.Errorf("answered %d %+v", code, status)
	}
}

func TestSTSSeesExactlyWhatWasSigned(t *testing.T) {
	for _, host := range []string{"sts.eu-central-1.amazonaws.com", "sts.amazonaws.com"} {
		aws := newFakeAWS()
		signed := presigned(host)
		review(t, aws, tokenOf(signed))
		if aws.stsRequest == nil {
			t.Fatalf("%s: STS was not asked", host)
		}
		if got := "https://" + aws.stsRequest.Host + aws.stsRequest.RequestURI; got != signed {
			t.Errorf("STS saw %s, signed was %s", got, signed)
		}
		if got := aws.stsRequest.Header.Get("x-k8s-aws-id"); got != "stage" {
			t.Errorf("STS saw the cluster %q", got)
		}
		if got := aws.stsRequest.Header.Get("accept"); got != "application/json" {
			t.Errorf("STS saw accept %q", got)
		}
	}
}

func TestEKSIsAskedForTheRoleAndNotTheSession(t *testing.T) {
	aws := newFakeAWS()
	review(t, aws, tokenOf(presigned("sts.eu-central-1.amazonaws.com")))
	want := "/clusters/stage/access-entries/arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fresponder"
	if got := aws.eksRequest.RequestURI; got != want {
		t.Errorf("EKS saw %s, want %s", got, want)
	}
	if got := aws.eksRequest.Header.Get("Authorization"); !strings.Contains(got, "/eu-central-1/eks/aws4_request") {
		t.Errorf("EKS saw the authorization %q", got)
	}
}

func TestUsernameOfTheAccessEntryIsRendered(t *testing.T) {
	aws := newFakeAWS()
	aws.eksBody = fmt.Sprintf(`{"accessEntry":{"principalArn":%q,"username":"responder:{{AccountID}}:{{SessionName}}"}}`, roleARN)
	_, status, _ := review(t, aws, tokenOf(presigned("sts.eu-central-1.amazonaws.com")))
	if got := status.User.Username; got != "responder:111122223333:run-1" {
		t.Errorf("the username is %q", got)
	}
}

func TestBadTokenIsRejectedWithAReason(t *testing.T) {
	good := tokenOf(presigned("sts.eu-central-1.amazonaws.com"))
	for name, c := range map[string]struct {
		token  string
		change func(*fakeAWS)
		reason string
	}{
		"no EKS token":    {"letmein", nil, "missing expected"},
		"no URL":          {tokenOf("https://sts\x7f.amazonaws.com"), nil, "holds no URL"},
		"foreign host":    {tokenOf(presigned("sts.example.com")), nil, "unexpected hostname"},
		"no access entry": {good, func(f *fakeAWS) { f.eksStatus = 404 }, "no access entry for " + roleARN},
		"wrong signature": {good, func(f *fakeAWS) {
			f.stsStatus, f.stsBody = 403, "<Error><Code>SignatureDoesNotMatch</Code><Message>canonical secret</Message></Error>"
		}, "403 SignatureDoesNotMatch"},
	} {
		t.Run(name, func(t *testing.T) {
			aws := newFakeAWS()
			if c.change != nil {
				c.change(aws)
			}
			code, status, text := review(t, aws, c.token)
			if code != 200 || status.Authenticated || !strings.Contains(status.Error, c.reason) {
				t.Errorf("answered %d %+v, want the reason %q", code, status, c.reason)
			}
			if strings.Contains(text, "secret") || strings.Contains(text, "https://") || strings.Contains(text, c.token) {
				t.Errorf("the answer gives the token away: %s", text)
			}
		})
	}
}

func TestFailureOfAWSIsNoAnswerAboutTheToken(t *testing.T) {
	for name, change := range map[string]func(*fakeAWS){
		"STS fails":                  func(f *fakeAWS) { f.stsStatus = 500 },
		"STS is not emulated":        func(f *fakeAWS) { f.stsStatus = 404 },
		"STS throttles":              func(f *fakeAWS) { f.stsStatus, f.stsBody = 400, "<Code>Throttling</Code>" },
		"STS answers nonsense":       func(f *fakeAWS) { f.stsBody = "hello" },
		"EKS fails":                  func(f *fakeAWS) { f.eksStatus = 500 },
		"EKS refuses":                func(f *fakeAWS) { f.eksStatus = 403 },
		"EKS names someone else":     func(f *fakeAWS) { f.eksBody = `{"accessEntry":{"principalArn":"arn:aws:iam::1:role/x"}}` },
		"EKS answers without entry":  func(f *fakeAWS) { f.eksBody = `{}` },
		"EKS answers something else": func(f *fakeAWS) { f.eksBody = `hello` },
	} {
		t.Run(name, func(t *testing.T) {
			aws := newFakeAWS()
			change(aws)
			if code, _, text := review(t, aws, tokenOf(presigned("sts.eu-central-1.amazonaws.com"))); code != http.StatusBadGateway {
				t.Errorf("answered %d %s", code, text)
			}
		})
	}
}

func TestUnreachableSTSIsNoAnswerAboutTheToken(t *testing.T) {
	hangUp := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	code, _, text := review(t, hangUp, tokenOf(presigned("sts.eu-central-1.amazonaws.com")))
	if code != http.StatusBadGateway || strings.Contains(text, "X-Amz-Signature") {
		t.Errorf("answered %d %s", code, text)
	}
}

func TestRealAWSIsOutOfReach(t *testing.T) {
	transport := NewSTSTransport(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}, http.DefaultTransport)
	_, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "https://ec2.eu-central-1.amazonaws.com/", nil))
	if err == nil || !strings.Contains(err.Error(), "must not be called") {
		t.Errorf("answered %v", err)
	}
}
