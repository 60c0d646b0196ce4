package eksauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

// stsTimeout bounds a call that the verifier itself lets wait for ever.
const stsTimeout = 10 * time.Second

// NewSTSTransport sends requests for STS to endpoint and leaves those for other
// hosts to next. Query, headers and Host stay as they are, because the
// signature in the query covers them. Real AWS is out of reach: any other
// request to it fails.
func NewSTSTransport(endpoint *url.URL, next http.RoundTripper) http.RoundTripper {
	return &stsTransport{
		endpoint: endpoint,
		// No proxy: the endpoint is local whatever the environment says.
		local: &http.Transport{ResponseHeaderTimeout: stsTimeout},
		next:  next,
	}
}

type stsTransport struct {
	endpoint    *url.URL
	local, next http.RoundTripper
}

func (t *stsTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	host := request.URL.Hostname()
	if !strings.HasSuffix(host, ".amazonaws.com") {
		return t.next.RoundTrip(request)
	}
	if !strings.HasPrefix(host, "sts.") {
		return nil, fmt.Errorf("%s is not emulated here, and real AWS must not be called", host)
	}
	redirected := request.Clone(request.Context())
	if redirected.Host == "" {
		redirected.Host = request.URL.Host
	}
	redirected.URL.Scheme, redirected.URL.Host = t.endpoint.Scheme, t.endpoint.Host
	return t.local.RoundTrip(redirected)
}

// The verifier reports what STS answered only in the text of its error.
var (
	stsStatus = regexp.MustCompile(`expected 200, got (\d+)`)
	stsCode   = regexp.MustCompile(`\bCode(?:>|"\s*:\s*")(\w+)`)
)

// classify tells a bad token from a verifier that could not do its work. Only
// what is known to be the token's fault rejects it. The verifier's messages may
// quote the presigned URL or STS's canonical request, which are secrets, so no
// message that can hold them is passed on whole.
func classify(err error) error {
	var malformed token.FormatError
	if errors.As(err, &malformed) {
		if strings.Contains(malformed.Error(), "://") {
			return rejection{"input token was not properly formatted: it holds no URL"}
		}
		return rejection{malformed.Error()}
	}
	status := submatch(stsStatus, err.Error())
	code := submatch(stsCode, err.Error())
	switch status {
	case "":
		return err // no answer from STS, or one that names nobody
	case "400", "401", "403":
		if !strings.HasPrefix(code, "Throttl") {
			return rejection{fmt.Sprintf(
				"STS refused the token: %s %s (is it signed for this cluster, with valid credentials?)", status, code)}
		}
	}
	return fmt.Errorf("STS could not verify the token: %s %s", status, code)
}

func submatch(pattern *regexp.Regexp, text string) string {
	if match := pattern.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	return ""
}
