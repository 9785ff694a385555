//! The table of docs/costs.md follows from the prices and sizes on the page.

/// The number between two texts.
fn number(text: &str, before: &str, after: &str) -> f64 {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before:?} in {text}"));
    let (number, _) = rest
        .split_once(after)
        .unwrap_or_else(|| panic!("{after:?} after {before:?}"));
    let number = number.trim().replace(',', "");
    number
        .parse()
        .unwrap_or_else(|_| panic!("{number:?} after {before:?}"))
}

#[test]
fn the_table_of_costs_follows_from_prices_and_sizes() {
    let page = include_str!("../../docs/costs.md").replace('\n', " ");
    let section = page.as_str();
    let gigabyte = 1024_f64.powi(3);
    let uploaded = number(section, "0.5 to 4.1 MB:", "bytes on average") / gigabyte;
    let optimized = number(section, "as uploaded,", "after optimizing") / gigabyte;
    let saved = 100.0 * (1.0 - optimized / uploaded);
    assert_eq!(
        format!("{saved:.0}"),
        format!("{:.0}", number(section, "after optimizing,", "% less"))
    );

    let storage = number(section, "look before you decide):", "a GB and month");
    let put = number(section, "in S3 Standard,", "a thousand PUTs") / 1000.0;
    let get = number(section, "a thousand PUTs,", "a thousand GETs") / 1000.0;
    let transfer = number(section, "a thousand GETs,", "a GB of transfer out");
    let free = number(section, "transfer out after the first", "GB");
    let kept = |images: f64, size: f64| {
        images * size * storage + images / 10.0 * put + images * 10.0 * get
    };
    let sent = |images: f64, size: f64| (images * 10.0 * size - free).max(0.0) * transfer;
    for (place, images) in [
        ("one lab", 1_000.0),
        ("an institute", 10_000.0),
        ("a university", 100_000.0),
    ] {
        let row = format!(
            "| {place} | {} | {:.2} USD | {:.2} USD | {:.2} USD |",
            if images < 10_000.0 {
                "1,000".to_owned()
            } else {
                format!("{},000", images / 1000.0)
            },
            kept(images, uploaded) + sent(images, uploaded),
            kept(images, optimized) + sent(images, optimized),
            // A terabyte is free, and ten million requests.
            kept(images, optimized),
        );
        assert!(images * 10.0 * optimized < 1024.0 && images * 10.0 < 1e7);
        assert!(section.contains(&row), "{row}");
    }
    let largest = (sent(100_000.0, uploaded), kept(100_000.0, uploaded));
    let words = format!(
        "{:.0} of the {:.0} dollars",
        largest.0,
        largest.0 + largest.1
    );
    assert!(section.contains(&words), "{words}");
}
