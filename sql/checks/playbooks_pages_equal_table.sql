-- The drafted pages, read back, are those of their playbooks, byte for byte; each begins with the id and the hash of its
-- evidence.
-- grain: one row per page that is missing, too many, or another one
-- version: 1
-- stage: extract-playbooks

select
    coalesce(pages.file, expected.file) as file,
    expected.id,
    substr(pages.page, 1, 200) as beginning
from files.pages as pages
full outer join files.pages_expected as expected
    on pages.file = expected.file
where
    coalesce(sha256(pages.page) <> expected.page_sha256, true)
    or not coalesce(
        substr(pages.page, 1, 1000) like '%`' || expected.id || '`%' || expected.evidence_sha256 || '%', true
    )
