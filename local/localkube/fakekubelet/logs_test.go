package fakekubelet

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLogIsCutAtItsEndAfterItsLastLinesWereTaken(t *testing.T) {
	at := time.Date(2026, 11, 22, 17, 55, 0, 0, time.UTC)
	for query, want := range map[string]string{
		"":                                    "one\ntwo\nthree\n",
		"tailLines=2":                         "two\nthree\n",
		"tailLines=2&limitBytes=5":            "two\nt",
		"tailLines=1&timestamps=true":         "2026-11-22T17:55:00Z three\n",
		"tailLines=9&limitBytes=900&previous": "one\ntwo\nthree\n",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := excerpt("one\ntwo\nthree\n", at, values); got != want {
			t.Errorf("%s gives %q, not %q", query, got, want)
		}
	}
}

func TestLogsAreServedFromTheirFolderOnly(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("logs/shop/cart-1/app.log", "said\n")
	write("secret.log", "secret\n")
	server := &LogServer{Dir: filepath.Join(dir, "logs")}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", server.serveLog)
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/containerLogs/shop/cart-1/app":                   {200, "said\n"},
		"/containerLogs/shop/cart-1/silent":                {200, ""},
		"/containerLogs/shop/cart-1/app?previous=true":     {400, "previous terminated container \"app\" in pod \"cart-1\" not found\n"},
		"/containerLogs/shop/cart-1/..%2F..%2F..%2Fsecret": {404, "no such container\n"},
		"/containerLogs/..%2F..%2Flogs%2Fshop/cart-1/app":  {404, "no such container\n"},
	} {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		if answer.Code != want.status || answer.Body.String() != want.body {
			t.Errorf("%s gives %d %q", path, answer.Code, answer.Body.String())
		}
	}
}
