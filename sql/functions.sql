-- The words the models are written in. `value` is a JSON value as text (a string still has its quotes);
-- every function answers null, never an error, for a value of another type.
-- version: 2

-- The six characters that are trimmed. For short results of other functions: it asks for `t` once.
create macro stripped(t) as regexp_replace(t, '^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$', '', 'g');

-- Whether a text has none of them at its ends, as most: none comes after a space, and `!` is next to it.
create macro is_trimmed(t) as
    t >= '!'
    and not (
        ends_with(t, ' ') or ends_with(t, chr(10)) or ends_with(t, chr(9))
        or ends_with(t, chr(13)) or ends_with(t, chr(11)) or ends_with(t, chr(12))
    );

-- A text without them at its ends, the common case made cheap: for columns, which cost nothing to ask for again.
create macro trimmed(t) as case when is_trimmed(t) then t else stripped(t) end;

-- Null, or nothing that anybody could see: no character but separators, controls and those that only format. The search ends
-- at the first other one, which is nearly always the first of all.
create macro is_blank(t) as not coalesce(regexp_matches(t, '[^\p{Z}\p{Cc}\p{Cf}]'), false);

-- The text itself, or null where it is blank.
create macro filled(t) as case when not is_blank(t) then t end;

-- Whether an object, as JSON text, has a key: null and absent look alike in its fields.
create macro has_key(line, key) as json_exists(line, '$.' || key);

-- A text behind its length: of several put together this way, each can be told from the next, whatever is in them.
create macro sized(t) as cast(length(t) as varchar) || ':' || t;

-- Whether a verdict is none of its own, but that of the records that something was extracted from.
create macro is_borrowed(reasons) as
    coalesce(
        array_length(
            list_filter(reasons, lambda reason: reason in ('parent_accepted', 'parents_mixed', 'parent_rejected'))
        ) > 0,
        false
    );

-- A time as microseconds, to add to.
create macro microseconds(moment) as epoch_us(moment);

-- Whether a line is longer than any that is read: 64 MiB, beyond which --max-line can't go. Older releases landed such lines.
create macro is_giant(line) as strlen(line) > 67108864;

-- A number that stands for two texts together, the same wherever the same engine runs.
create macro pair_hash(a, b) as hash(a, b);

-- A number that stands for a text, the same wherever the same engine runs; null for null.
create macro text_hash(t) as case when t is not null then hash(t) end;

-- A number that stands for a record and the line it comes from, the same wherever the same engine runs.
create macro place_hash(source_file, line_offset, sig_hash) as hash(source_file, line_offset, sig_hash);

-- A JSON string as text.
create macro text(value) as case when starts_with(value, '"') then value ->> '$' end;

-- A text as a lower-case word, trimmed; null where it is blank.
create macro as_word(t) as filled(lower(stripped(t)));

-- A JSON string as such a word: verdicts, severities, actions.
create macro word(value) as as_word(text(value));

-- Who settled something, without the word before the name that says what kind of settler that is.
create macro settler_name(settler) as filled(stripped(regexp_replace(settler, '^(?:person|test|tool):', '')));

-- A JSON number begins with a digit or a minus; no other JSON value begins with a character from - to 9.
create macro is_number(value) as coalesce(cast(value as varchar) >= '-' and cast(value as varchar) < ':', false);

-- A JSON number as double; beyond the range of a double: null. Minus zero is zero: storage does not keep them apart.
create macro number(value) as
    case
        when is_number(value) and abs(try_cast(value as double)) < 1.7976931348623157e308
            then try_cast(value as double) + 0.0
    end;

-- A JSON number without a fraction, within 64 bits.
create macro whole(value) as
    case
        when not is_number(value) then null
        when regexp_full_match(value, '-?[0-9]+') then try_cast(value as bigint)
        when
            abs(try_cast(value as double)) < 9223372036854775807
            and try_cast(value as double) = floor(try_cast(value as double))
            then try_cast(try_cast(value as double) as bigint)
    end;

-- A JSON boolean.
create macro truth(value) as case value when 'true' then true when 'false' then false end;

-- A name that may be written as text or as a whole number.
create macro label(value) as case when starts_with(value, '"') then text(value) else cast(whole(value) as varchar) end;

-- The JSON strings of a JSON list, in order; null where it is no list.
create macro strings(value) as
    case
        when starts_with(value, '[') then
            list_transform(
                list_filter(from_json(value, '["JSON"]'), lambda item: starts_with(item, '"')),
                lambda item: item ->> '$'
            )
    end;

-- The same without the blank ones.
create macro texts(value) as list_filter(strings(value), lambda item: not is_blank(item));

-- A set of words: no blanks, no repeats, sorted.
create macro markers(value) as list_sort(list_distinct(texts(value)));

-- The value of a key of a JSON object, as JSON text; null where there is none, a JSON null, or no object.
create macro inner_field(value, key) as
    case when starts_with(value, '{') then nullif(json_extract(value, '$.' || key), 'null') end;

-- What can't be read is not nothing. Each of these answers the name of a field, and a line break, where its value is there and
-- is not of the kind that the function is named after; else an empty text. So the answers for several fields are put together
-- with `||`, and `fields_in` makes a list of the names.
create macro misread(name, is_wrong) as case when is_wrong then name || chr(10) else '' end;

create macro not_text(name, value) as misread(name, not starts_with(value, '"'));

create macro not_truth(name, value) as misread(name, value not in ('true', 'false'));

create macro not_number(name, value) as misread(name, value is not null and number(value) is null);

create macro not_whole(name, value) as misread(name, value is not null and whole(value) is null);

create macro not_label(name, value) as misread(name, value is not null and label(value) is null);

create macro not_object(name, value) as misread(name, not starts_with(value, '{'));

-- A share: a number from 0 to 1.
create macro not_share(name, value) as misread(name, value is not null and not coalesce(number(value) between 0 and 1, false));

-- A list of nothing but texts.
create macro not_texts(name, value) as
    misread(
        name,
        not starts_with(value, '[')
        or array_length(
            list_filter(from_json(value, '["JSON"]'), lambda item: not coalesce(starts_with(item, '"'), false))
        ) > 0
    );

-- The names in the answers of such functions, each once, sorted.
create macro fields_in(answers) as
    case
        when answers = '' then cast([] as varchar[])
        else list_sort(list_distinct(regexp_extract_all(answers, '[^\n]+')))
    end;

-- Whether a list has an item.
create macro has_item(items, item) as list_contains(items, item);

-- Microseconds since 1970 as a time, within the years 1 to 9999.
create macro utc_from_epoch(microseconds) as
    case
        when microseconds between -62135596800000000 and 253402300799999999
            then timestamptz '1970-01-01 00:00:00+00' + to_microseconds(cast(microseconds as bigint))
    end;

-- A whole number of seconds, or of milliseconds from 1e11 on, that is small enough to count in bigint: much faster.
create macro utc_from_whole(number) as utc_from_epoch(number * case when number >= 100000000000 then 1000 else 1000000 end);

-- A JSON number that may be a time, digit by digit: arithmetic of doubles would lose a microsecond.
create macro exact(value) as
    case
        when try_cast(value as double) between -1e11 and 1e15 then try_cast(cast(value as varchar) as decimal(38, 18))
    end;

-- A number of seconds, or of milliseconds from 1e11 on. The first case is the common one, made cheap.
create macro utc_from_number(value) as
    case
        when regexp_full_match(value, '[0-9]{1,15}') then utc_from_whole(try_cast(value as bigint))
        else utc_from_epoch(floor(exact(value) * case when exact(value) >= 100000000000 then 1000 else 1000000 end))
    end;

-- The texts that count as a time: ISO 8601 (no offset = UTC), or YYYY-MM-DD_HH-MM-SS.
create macro is_time(t) as regexp_full_match(
    t,
    '[0-9]{4}-[0-9]{2}-[0-9]{2}'
    || '(_([01][0-9]|2[0-3])-[0-5][0-9]-[0-5][0-9]'
    || '|[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?'
    || '([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?)?'
);

-- Such a text put together again as `YYYY-MM-DD hh:mm:ss.ffffff+hh:mm`; digits beyond the microsecond are cut off.
create macro time_in_parts(t) as
    substr(t, 1, 10) || ' '
    || coalesce(nullif(replace(substr(t, 12, 5), '-', ':'), ''), '00:00')
    || coalesce(nullif(replace(regexp_extract(t, '^.{16}([:-][0-9]{2})($|[.,Zz+-])', 1), '-', ':'), ''), ':00')
    || coalesce('.' || nullif(regexp_extract(t, '[.,]([0-9]{1,6})', 1), ''), '')
    || coalesce(
        nullif(regexp_replace(regexp_extract(t, '^.{10}[T ].{5}.*([+-].*)$', 1), '^(...):?(..)$', '\1:\2'), ''), '+00'
    );

create macro within_years(moment) as
    case
        when
            moment between timestamptz '0001-01-01 00:00:00+00' and timestamptz '9999-12-31 23:59:59.999999+00'
            then moment
    end;

-- A time field as a UTC time, or null where it can't be read as one. The first case is the common one, made cheap.
create macro utc(value) as
    case
        when regexp_full_match(
            value,
            '"(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?'
            || '(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"'
        ) then try_cast(substr(value, 2, length(value) - 2) as timestamptz)
        when starts_with(value, '"')
            then
                case
                    when is_time(text(value)) then within_years(try_cast(time_in_parts(text(value)) as timestamptz))
                end
        when is_number(value) then utc_from_number(value)
    end;

-- Whether two moments lie at most so many days apart.
create macro within_days(a, b, days) as abs(epoch_us(a) - epoch_us(b)) <= days * 86400000000;

-- A category and why.
create macro score(category, reasons) as {'category': category, 'reasons': reasons};

-- The items of a group as a list, in the order of their places; what is null is left out.
create macro in_order(place, item) as
    list_transform(
        list_filter(list_sort(list({'place': place, 'item': item})), lambda held: held.item is not null),
        lambda held: held.item
    );

-- The lines of a text that have one of some words in them, divided by bars, in whatever case.
create macro lines_with(t, words) as regexp_extract_all(t, '(?i)[^\r\n]*(?:' || words || ')[^\r\n]*');

-- A text without line breaks and what else moves or hides characters, and without white space in a row. A space between two
-- words is no match: putting one in its place, word by word, would take three times as long.
create macro one_line(t) as
    trim(
        regexp_replace(
            t,
            replace(
                '[\p{Z}@]{2,}|[^\P{Z} ]|[@]',
                '@',
                '\p{Cc}\x{61c}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}'
            ),
            ' ',
            'g'
        )
    );

-- The first characters of a text; dots where there were more.
create macro cut(t, size) as case when length(t) > size then trim(substr(t, 1, size)) || '…' else t end;

-- A line without what marks it as an item of a list: bullets, numbers, check boxes, quotes; and without emphasis at its start.
create macro unmarked(line) as
    trim(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    one_line(line),
                    '^([-+•–—·>] ?|[*] |[0-9]{1,4}[.):] ?|[(][0-9]{1,4}[)] ?|[a-zA-Z][.)] |#{1,6} '
                    || '|\[[ xX✓✔]?\] ?|[☐☑☒✓✔✅] ?)+',
                    ''
                ),
                '^(?:[*]{1,3}([^*]+)[*]{1,3}|_{1,3}([^_]+)_{1,3})',
                '\1\2'
            ),
            '^[*_]+',
            ''
        )
    );

-- The word that a text begins with, in lower case.
create macro first_word(t) as lower(regexp_extract(t, '^[\p{L}\p{M}\p{N}_]+'));

-- What a text says is to be verified: its lines that begin with one of five verbs, without marks, in no order.
create macro steps_of(t) as
    list_distinct(
        list_transform(
            list_filter(
                list_transform(lines_with(t, 'verify|check|assert|ensure|confirm'), lambda line: unmarked(line)),
                lambda line: first_word(line) in ('verify', 'check', 'assert', 'ensure', 'confirm')
            ),
            lambda line: cut(line, 300)
        )
    );

-- The same for texts that differ in case, white space and punctuation alone.
create macro spelling_key(t) as trim(regexp_replace(lower(t), '[\p{Z}\p{P}`]+', ' ', 'g'));

-- The first line of a text that has a word, without marks and not too long.
create macro summary(t) as
    cut(
        coalesce(
            filled(unmarked(regexp_extract(substr(t, 1, 5000), '(?m)^.*[\p{L}\p{N}].*$'))), one_line(substr(t, 1, 5000))
        ),
        200
    );

-- What stands for a title: the same title, the same playbook.
create macro playbook_id(title) as ('playbook-' || substr(sha256(title), 1, 16));

-- The letters and digits of a text as the beginning of a file name: nothing that a file system minds.
create macro slug(t) as trim(substr(regexp_replace(lower(substr(t, 1, 200)), '[^a-z0-9]+', '-', 'g'), 1, 60), '-');

-- A text as Markdown that shows it as it is: one line, no emphasis, no heading, link, table or HTML of its own.
create macro markdown(t) as
    regexp_replace(
        regexp_replace(
            replace(regexp_replace(one_line(t), '([\\`*_\[\]<#|~&$@])', '\\\1', 'g'), '://', '\://'),
            '(?i)(www)[.]', '\1\\.', 'g'
        ),
        '^(?:([-+=>])|([0-9]+)([.)]))', '\2\\\1\3'
    );

-- The day of a time, in UTC.
create macro day(moment) as substr(cast(moment as varchar), 1, 10);

-- Where an example in a playbook comes from, and the command that walks there.
create macro evidence_line(example) as (
    '`distill trace ' || example.id || '`, ' || markdown(example.source_file) || ' line '
    || (example.line_offset + 1) || ', sig_hash `' || example.sig_hash || '`'
);

-- A section of a page; nothing where it has no lines.
create macro section(title, says, items) as
    case
        when array_length(items) > 0
            then
                chr(10) || '## ' || title || chr(10) || chr(10) || says || chr(10) || chr(10)
                || array_to_string(items, chr(10)) || chr(10)
        else ''
    end;

-- Whether a text has another one in it.
create macro has_part(t, part) as (contains(t, part));

-- A sum of US dollars that may be added up in any order: to a billionth, from 0 to a billion. Anything else: null.
create macro dollars(amount) as case when amount >= 0 then try_cast(amount as decimal(18, 9)) end;

-- A measured number as it is kept: so many digits, and no trace of how a machine got there.
create macro rounded(amount, digits) as round(cast(amount as double), digits);

-- Which part of a whole that is, from 0 to 1; null of nothing.
create macro share(part, whole) as rounded(part / nullif(whole, 0), 6);

-- The value that so large a share of the values lies below, between two of them where it must; nulls do not count.
create macro quantile_of(amounts, part) as quantile_cont(cast(amounts as double), part);

-- The ends of the 95 % Wilson interval of a share, `hits` of `trials`; null of nothing.
create macro wilson_middle(hits, trials) as (hits + 1.920729410347062) / (trials + 3.841458820694124);

create macro wilson_reach(hits, trials) as
    1.959963984540054 * sqrt(hits * ((trials - hits) / nullif(trials, 0)) + 0.960364705173531) / (trials + 3.841458820694124);

create macro wilson_low(hits, trials) as
    case
        when trials > 0 and hits = 0 then 0.0
        when trials > 0 then rounded(wilson_middle(hits, trials) - wilson_reach(hits, trials), 6)
    end;

create macro wilson_high(hits, trials) as
    case
        when trials > 0 and hits = trials then 1.0
        when trials > 0 then rounded(wilson_middle(hits, trials) + wilson_reach(hits, trials), 6)
    end;

-- A share as people say it.
create macro in_percent(part) as cast(cast(round(100 * part) as bigint) as varchar) || ' %';

-- The name of a reason as people say it.
create macro in_words(name) as replace(name, '_', ' ');

-- The text with a space wherever a word ends that no sign ends: between `user` and `Record`; and around each character of the
-- scripts that put no space between words.
create macro spaced(t) as
    regexp_replace(
        regexp_replace(t, '([a-z])([A-Z])', '\1 \2', 'g'),
        '([\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}\p{Han}\x{3040}-\x{30ff}\x{ff66}-\x{ff9f}])', ' \1 ', 'g'
    );

-- The names in a text, with a space between them: identifiers, paths, versions, hyphenated codes. A run of letters and digits
-- that goes on behind `_`, `.`, `/` or `-`, or one with a capital behind a small letter. Beyond ASCII, letters are the blocks
-- that hold any: an engine takes ten times as long to look at each letter's own class.
create macro names_in(t) as
    array_to_string(
        regexp_extract_all(
            t,
            replace(
                '@+(?:[_./-]+@+)+|@*[a-z][a-z0-9]*[A-Z]@*',
                '@',
                '[0-9A-Za-z\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1fff}\x{2c00}-\x{2dff}\x{2e80}-\x{2fff}'
                || '\x{3041}-\x{30fa}\x{30fc}-\x{d7ff}\x{f900}-\x{fdff}\x{fe70}-\x{fefc}\x{ff10}-\x{ff19}'
                || '\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{ff66}-\x{ffdc}\x{10000}-\x{1efff}\x{20000}-\x{3ffff}]'
            )
        ),
        ' '
    );
