package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// TestPassword_SignsInWithACode sets a password and signs in by it. Codes of steps that were used do not work again.
func TestPassword_SignsInWithACode(t *testing.T) {
	a := people(t)
	base := serve(t, a)
	session := signedIn(t, a, anchor.Person{Name: "Ada", Role: anchor.RoleViewer})
	call(t, base, "POST", "/me/password", session, `{"password":"too short"}`, nil).isProblem(t, 400, "bad_password")
	const password = "correct horse battery"
	now := time.Now()
	a.Access.Now = func() time.Time { return now }
	var setup struct{ ID, Secret string }
	setUp := func() {
		t.Helper()
		call(t, base, "POST", "/me/password", session, fmt.Sprintf(`{"password":%q}`, password), nil).decode(t, &setup)
	}
	code := func() string {
		t.Helper()
		text, err := totp.GenerateCode(setup.Secret, now)
		check(t, err)
		return text
	}
	signIn := func(name, password, code string) answer {
		t.Helper()
		return call(t, base, "POST", "/sessions/password", "", fmt.Sprintf(`{"name":%q,"password":%q,"code":%q}`, name, password, code), nil)
	}
	setUp()
	signIn("Ada", password, code()).isProblem(t, 401, "wrong_password") // it is not confirmed
	call(t, base, "PUT", "/me/password", session, fmt.Sprintf(`{"id":%q,"code":"000"}`, setup.ID), nil).isProblem(t, 400, "wrong_code")
	setUp()
	call(t, base, "PUT", "/me/password", session, fmt.Sprintf(`{"id":%q,"code":%q}`, setup.ID, code()), nil).is(t, 204)
	signIn("Ada", password, code()).isProblem(t, 401, "wrong_password") // the code was used
	now = now.Add(time.Minute)
	signIn("Ada", "wrong horse battery", code()).isProblem(t, 401, "wrong_password")
	signIn("Eve", password, code()).isProblem(t, 401, "wrong_password")
	signIn("Ada", password, "").isProblem(t, 401, "wrong_password")
	signIn("Ada", password, code()).is(t, 201)
	signIn("Ada", password, code()).isProblem(t, 401, "wrong_password")

	for range 9 {
		signIn("Ada", "wrong horse battery", "1").isProblem(t, 401, "wrong_password")
	}
	now = now.Add(time.Minute)
	signIn("Ada", password, code()).isProblem(t, 503, "too_many_tries")
	now = now.Add(15 * time.Minute)
	signIn("Ada", password, code()).is(t, 201)
	call(t, base, "DELETE", "/me/password", session, "", nil).is(t, 204)
	now = now.Add(time.Minute)
	signIn("Ada", password, code()).isProblem(t, 401, "wrong_password")
}
