package acme

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// accountFile is an ACME account as it is stored. Location is empty until the CA has confirmed it.
type accountFile struct {
	Key     string            `json:"key"` // PEM
	Account acmeproto.Account `json:"account"`
}

// registerAccount returns the account at this CA and registers it when it is new. The key is stored before
// the CA hears of it, so that an account never exists whose key is lost: newAccount with a known
// key finds the account (RFC 8555, section 7.3.1).
func (a *authority) registerAccount(ctx context.Context) (acmeproto.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.account.Location != "" {
		return a.account, nil
	}
	file, key, err := a.readAccount()
	if err != nil {
		return acmeproto.Account{}, err
	}
	account := file.Account
	account.PrivateKey = key
	if account.Location == "" {
		account = acmeproto.Account{Contact: a.contact, TermsOfServiceAgreed: true, PrivateKey: key}
		if account, err = a.client.NewAccount(ctx, account); err != nil {
			return account, fmt.Errorf("register an account at %s: %w", a.client.Directory, err)
		}
	}
	if len(a.contact) > 0 && !slices.Equal(account.Contact, a.contact) {
		account.Contact = a.contact
		if account, err = a.client.UpdateAccount(ctx, account); err != nil {
			return account, fmt.Errorf("tell %s the new contact address: %w", a.client.Directory, err)
		}
	}
	file.Account = account
	if err := a.writeAccount(file); err != nil {
		return account, err
	}
	a.account = account
	return account, nil
}

// forgetAccount forgets the account, but not its key: the CA does not know the account (any more).
func (a *authority) forgetAccount() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.account = acmeproto.Account{}
	file, _, err := a.readAccount()
	if err != nil {
		return err
	}
	file.Account = acmeproto.Account{}
	return a.writeAccount(file)
}

func (a *authority) readAccount() (accountFile, crypto.Signer, error) {
	var file accountFile
	data, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return a.newAccountFile()
	}
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		return file, nil, fmt.Errorf("read the ACME account (%s): %w", a.path, err)
	}
	key, err := parseKey([]byte(file.Key))
	if err != nil {
		return file, nil, fmt.Errorf("the key of the ACME account (%s) is damaged; restore the file or remove it: %w", a.path, err)
	}
	return file, key, nil
}

func (a *authority) newAccountFile() (accountFile, crypto.Signer, error) {
	key, encoded, err := newKey()
	if err != nil {
		return accountFile{}, nil, fmt.Errorf("register an ACME account: %w", err)
	}
	file := accountFile{Key: string(encoded)}
	return file, key, a.writeAccount(file)
}

func (a *authority) writeAccount(file accountFile) error {
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("write the ACME account: %w", err)
	}
	return writeFile(a.path, data)
}
